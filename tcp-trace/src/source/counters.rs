// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel side counted.

use aya::maps::{MapData, MapError, PerCpuArray};
use tcp_trace_common::counters;

use crate::aggregate::ledger::Counts;

/// The counters of the kernel side.
pub struct Counters(PerCpuArray<MapData, u64>);

impl Counters {
    /// Of this map.
    pub fn new(map: PerCpuArray<MapData, u64>) -> Self {
        Self(map)
    }

    /// Since loading. What is counted elsewhere is left out.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn read(&self) -> Result<Counts, MapError> {
        let parts = Counts {
            ring_full: self.sum(counters::CONNECT_RING_FULL)?,
            attempts_full: self.sum(counters::ATTEMPTS_FULL)?,
            returns_missed: self.sum(counters::RETURN_MISSED)?,
            signals_shed: self.sum(counters::SIGNAL_SHED)?,
            signals_ring_full: self.sum(counters::SIGNAL_RING_FULL)?,
            signals_map_full: self.sum(counters::SIGNAL_MAP_FULL)?,
            shed: self.sum(counters::CONNECT_SHED)?,
            not_followed: self.sum(counters::NOT_FOLLOWED)?,
            summed: self.sum(counters::CONNECT_SUMMED)?,
            ..Counts::default()
        };
        // Read last: attempts go on meanwhile, and one that is in a part has been made before.
        let (made, signals_made) = (self.sum(counters::CONNECT_MADE)?, self.sum(counters::SIGNAL_MADE)?);
        Ok(Counts { made, signals_made, ..parts })
    }

    fn sum(&self, slot: u32) -> Result<u64, MapError> {
        Ok(self.0.get(&slot, 0)?.iter().sum())
    }
}
