// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel side's totals of attempts, as differences since the last reading.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray},
};
use tcp_trace_common::{
    folded::{BUCKETS, HANDSHAKE, PORT_SEARCH, PORTS_VISITED, RawHistogram, TOTAL, least},
    names,
};

use super::connect_rows::{ConnectRows, Drained};
use crate::model::{
    accounts::Counts,
    folded::{Folded, FoldedCounts, FoldedPhase},
};

const PHASES: [u32; 4] = [PORT_SEARCH, HANDSHAKE, TOTAL, PORTS_VISITED];

/// An attempt is slow from this multiple of the median on.
const SLOW: u64 = 8;
/// Fewer attempts have no useful median.
const FEW: u64 = 64;

fn median(buckets: &[u64]) -> Option<u64> {
    let all: u64 = buckets.iter().sum();
    let mut before = 0;
    let middle = buckets.iter().position(|count| {
        before += count;
        2 * before >= all
    });
    middle.filter(|_| all >= FEW).map(least)
}

/// The maps, and their values at the last reading.
pub struct FoldedTotals {
    rows: ConnectRows,
    phases: PerCpuArray<MapData, RawHistogram>,
    seen_buckets: [Vec<u64>; PHASES.len()],
    /// Attempts that had ended at the last reading.
    made: u64,
    /// Attempts that were in rows, or found no room in them.
    attempts: u64,
}

impl FoldedTotals {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// When the object lacks a map.
    pub fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let rows = ConnectRows::take(ebpf)?;
        let phases = ebpf.take_map(names::FOLDED_PHASES).context("no map FOLDED_PHASES in the object")?;
        Ok(Self {
            rows,
            phases: PerCpuArray::try_from(phases)?,
            seen_buckets: std::array::from_fn(|_| vec![0; BUCKETS]),
            made: 0,
            attempts: 0,
        })
    }

    /// Number of attempts in everything that was returned so far.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Whether any row found no room since the last reading.
    pub fn rows_are_full(&self) -> bool {
        self.rows.are_full()
    }

    /// Durations in ns from which on an attempt is unusually slow, in total and in its search; 0: too few attempts to
    /// tell.
    pub fn slow(&self) -> (u64, u64) {
        let limit = |phase: u32| {
            let index = PHASES.iter().position(|slot| *slot == phase);
            index.and_then(|index| median(&self.seen_buckets[index])).map_or(0, |median| SLOW * median.max(1))
        };
        (limit(TOTAL), limit(PORT_SEARCH))
    }

    /// Resets the number of attempts: counting begins here.
    pub fn begin(&mut self) {
        self.attempts = 0;
    }

    /// The difference since the last reading; `None`: nothing. `counts` were read just before; for `turn` see
    /// [`ConnectRows::drain`].
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn since_last(&mut self, counts: &Counts, turn: impl FnOnce(u32)) -> anyhow::Result<Option<Folded>> {
        // A program counts an attempt after it chose where to add it up, so this number covers everything that can be
        // there.
        if self.made == counts.made {
            return Ok(None);
        }
        let Drained { rows, other } = self.rows.drain(turn)?;
        self.made = counts.made;
        let mut folded = Folded { rows, other, ..Folded::default() };
        let Folded { rows, other, by_outcome, second_pass, second_pass_known, syn_retransmits, mptcp, .. } =
            &mut folded;
        let mut add = |counts: &FoldedCounts| {
            for (sum, count) in by_outcome.iter_mut().zip(counts.by_outcome) {
                *sum += count;
            }
            *second_pass += counts.second_pass_looked;
            *second_pass_known += counts.second_pass_known;
            *syn_retransmits += counts.syn_retransmits;
            *mptcp += counts.mptcp;
        };
        rows.iter().for_each(|row| add(&row.counts));
        add(other);
        self.attempts += folded.by_outcome.iter().sum::<u64>();
        for (index, slot) in PHASES.into_iter().enumerate() {
            folded.phases[index] = self.phase(slot, index)?;
        }
        Ok(Some(folded))
    }

    fn phase(&mut self, slot: u32, index: usize) -> Result<FoldedPhase, MapError> {
        let per_cpu = self.phases.get(&slot, 0)?;
        let mut buckets = vec![0; BUCKETS];
        for histogram in per_cpu.iter() {
            for (sum, count) in buckets.iter_mut().zip(histogram.buckets) {
                *sum += count;
            }
        }
        let max = per_cpu.iter().map(|histogram| histogram.max).max().unwrap_or(0);
        let seen = std::mem::replace(&mut self.seen_buckets[index], buckets.clone());
        for (count, seen) in buckets.iter_mut().zip(seen) {
            *count = count.saturating_sub(seen);
        }
        Ok(FoldedPhase { buckets, max })
    }
}
