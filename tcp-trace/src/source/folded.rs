// SPDX-License-Identifier: MIT OR Apache-2.0
//! The totals that the kernel side keeps of attempts without events, as what was added since they were last asked.

use std::collections::HashMap;

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray, PerCpuHashMap},
};
use tcp_trace_common::{
    folded::{BUCKETS, HANDSHAKE, PORT_SEARCH, PORTS_VISITED, RawEnding, RawHistogram, TOTAL},
    names,
};

use crate::{
    aggregate::{
        folded::{Folded, FoldedPhase},
        ledger::Counts,
    },
    decode,
};

const PHASES: [u32; 4] = [PORT_SEARCH, HANDSHAKE, TOTAL, PORTS_VISITED];

/// The maps, and what they said the last time.
pub struct FoldedTotals {
    endings: PerCpuHashMap<MapData, RawEnding, u64>,
    phases: PerCpuArray<MapData, RawHistogram>,
    seen: Counts,
    seen_endings: HashMap<RawEnding, u64>,
    seen_buckets: [Vec<u64>; PHASES.len()],
    /// Counters did not move before the last look, so nothing was on its way into the totals.
    settled: bool,
}

impl FoldedTotals {
    /// Of this object.
    ///
    /// # Errors
    /// When it has not the maps of the contract.
    pub fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let mut take = |name| ebpf.take_map(name).with_context(|| format!("no map {name} in the object"));
        Ok(Self {
            endings: PerCpuHashMap::try_from(take(names::FOLDED_ENDINGS)?)?,
            phases: PerCpuArray::try_from(take(names::FOLDED_PHASES)?)?,
            seen: Counts::default(),
            seen_endings: HashMap::new(),
            seen_buckets: std::array::from_fn(|_| vec![0; BUCKETS]),
            settled: true,
        })
    }

    /// What was added; `None`: nothing. `counts` were read just before.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn since_last(&mut self, counts: &Counts) -> Result<Option<Folded>, MapError> {
        let moved = counts.folded() != self.seen.folded();
        // An attempt is counted first and added up then: one more look once the counters stand still.
        let skip = !moved && self.settled;
        self.settled = !moved;
        if skip {
            return Ok(None);
        }
        let seen = std::mem::replace(&mut self.seen, *counts);
        let mut folded = Folded {
            second_pass: counts.folded_second_pass.saturating_sub(seen.folded_second_pass),
            second_pass_known: counts.folded_second_pass_known.saturating_sub(seen.folded_second_pass_known),
            syn_retransmits: counts.folded_syn_retransmits.saturating_sub(seen.folded_syn_retransmits),
            mptcp: counts.folded_mptcp.saturating_sub(seen.folded_mptcp),
            ..Folded::default()
        };
        for entry in self.endings.iter() {
            let (ending, per_cpu) = entry?;
            let count: u64 = per_cpu.iter().sum();
            let seen = self.seen_endings.entry(ending).or_default();
            folded.by_outcome[decode::outcome(&ending.attempt()).0 as usize] += count.saturating_sub(*seen);
            *seen = count;
        }
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
