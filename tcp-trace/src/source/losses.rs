// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel side counted as lost, as the differences since it was last asked.

use aya::maps::{MapData, MapError, PerCpuArray};
use tcp_trace_common::counters;

use crate::event::Lost;

/// The counters of the kernel side.
pub struct Losses {
    counters: PerCpuArray<MapData, u64>,
    reported: Lost,
}

impl Losses {
    /// Nothing reported yet.
    pub fn new(counters: PerCpuArray<MapData, u64>) -> Self {
        Self { counters, reported: Lost::default() }
    }

    /// What was lost since the last call; `None`: nothing. `runs_missed` so far come from the kernel itself.
    pub fn since_last(&mut self, runs_missed: Option<u64>) -> Result<Option<Lost>, MapError> {
        let total = Lost {
            ring_buffer: self.sum(counters::CONNECT_RING_FULL)? + self.sum(counters::TIME_WAIT_RING_FULL)?,
            map_full: self.sum(counters::ATTEMPTS_FULL)?
                + self.sum(counters::TIME_WAIT_MAP_FULL)?
                + self.sum(counters::CALLS_FULL)?,
            missed: self.sum(counters::RETURN_MISSED)? + runs_missed.unwrap_or(0),
        };
        let news = Lost {
            ring_buffer: total.ring_buffer - self.reported.ring_buffer,
            map_full: total.map_full - self.reported.map_full,
            // A program that was taken down takes its count along.
            missed: total.missed.saturating_sub(self.reported.missed),
        };
        self.reported = total;
        Ok((news != Lost::default()).then_some(news))
    }

    fn sum(&self, slot: u32) -> Result<u64, MapError> {
        Ok(self.counters.get(&slot, 0)?.iter().sum())
    }
}
