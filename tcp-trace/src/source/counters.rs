// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel side's counters.

use aya::maps::{MapData, MapError, PerCpuArray};
use tcp_trace_common::counters;

use crate::model::accounts::Counts;

/// The kernel side's per-CPU counters.
pub struct Counters(PerCpuArray<MapData, [u64; counters::COUNT]>);

impl Counters {
    /// Counters in `map`.
    pub fn new(map: PerCpuArray<MapData, [u64; counters::COUNT]>) -> Self {
        Self(map)
    }

    /// Counts since loading. Counts from other sources are left out.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn read(&self) -> Result<Counts, MapError> {
        let per_cpu = self.0.get(&0, 0)?;
        let sum = |slot: u32| per_cpu.iter().map(|counters| counters[slot as usize]).sum();
        Ok(Counts {
            made: sum(counters::CONNECT_MADE),
            ring_full: sum(counters::CONNECT_RING_FULL),
            attempts_full: sum(counters::ATTEMPTS_FULL),
            returns_missed: sum(counters::RETURN_MISSED),
            signals_made: sum(counters::SIGNAL_MADE),
            signals_shed: sum(counters::SIGNAL_SHED),
            signals_ring_full: sum(counters::SIGNAL_RING_FULL),
            signals_map_full: sum(counters::SIGNAL_MAP_FULL),
            summed: sum(counters::CONNECT_SUMMED),
            shed: sum(counters::CONNECT_SHED),
            not_followed: sum(counters::NOT_FOLLOWED),
            ..Counts::default()
        })
    }
}
