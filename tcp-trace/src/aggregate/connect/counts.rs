// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of an interval or of a run.

use super::{
    CandidateTotals, ConnectSnapshot,
    tables::{ProcessSet, Tables},
};
use crate::{
    aggregate::{distribution::Recorder, tally::Processes},
    event::{Connect, OUTCOMES},
    model::folded::{FoldedCounts, FoldedPhase, FoldedRow},
};

#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) told: u64,
    pub(super) outcome_unknown: u64,
    pub(super) not_followed: u64,
    by_outcome: [u64; OUTCOMES.len()],
    second_pass: u64,
    second_pass_known: u64,
    syn_retransmits: u64,
    mptcp: u64,
    /// Distributions: port search, handshake, total, ports visited.
    recorders: [Recorder; 4],
    candidates: CandidateTotals,
    tables: Tables,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            told: 0,
            outcome_unknown: 0,
            not_followed: 0,
            by_outcome: [0; OUTCOMES.len()],
            second_pass: 0,
            second_pass_known: 0,
            syn_retransmits: 0,
            mptcp: 0,
            recorders: std::array::from_fn(|_| Recorder::new()),
            candidates: CandidateTotals::default(),
            tables: Tables::default(),
        }
    }
}

impl Counts {
    /// Records the fine distributions of an attempt that the kernel side did not add up.
    pub(super) fn record(&mut self, connect: &Connect) {
        let values =
            [connect.port_search_ns, connect.handshake_ns, connect.total_ns, connect.ports_visited.map(u64::from)];
        for (recorder, value) in self.recorders.iter_mut().zip(values) {
            if let Some(value) = value {
                recorder.record(value);
            }
        }
    }

    /// Merges the fine distributions that the kernel side added up.
    pub(super) fn merge_phases(&mut self, phases: &[FoldedPhase; 4]) {
        for (recorder, phase) in self.recorders.iter_mut().zip(phases) {
            recorder.merge_folded(phase);
        }
    }

    /// Adds a row; `now` and `new`: its process was not seen before in this interval, in this run.
    pub(super) fn add_row(&mut self, row: &FoldedRow, now: bool, new: bool) {
        self.add(&row.counts);
        self.tables.add(row, Processes { now: now.into(), new: new.into() });
    }

    /// Adds attempts that found no room in a row.
    pub(super) fn add_other(&mut self, other: &FoldedCounts) {
        self.add(other);
        self.tables.add_other(other);
    }

    fn add(&mut self, counts: &FoldedCounts) {
        for (sum, count) in self.by_outcome.iter_mut().zip(counts.by_outcome) {
            *sum = sum.saturating_add(count);
        }
        let candidates = &mut self.candidates;
        let sums = [
            (&mut self.second_pass, counts.second_pass_looked),
            (&mut self.second_pass_known, counts.second_pass_known),
            (&mut self.syn_retransmits, counts.syn_retransmits),
            (&mut self.mptcp, counts.mptcp),
            (&mut candidates.searches, counts.in_use.known),
            (&mut candidates.in_use, counts.in_use.sum),
            (&mut candidates.time_wait, counts.time_wait.sum),
            (&mut candidates.time_wait_reused, counts.time_wait_reused),
            (&mut candidates.skipped, counts.skipped),
        ];
        for (sum, count) in sums {
            *sum = sum.saturating_add(count);
        }
    }

    pub(super) fn merge(&mut self, later: &Self) {
        for (sum, count) in self.by_outcome.iter_mut().zip(later.by_outcome) {
            *sum = sum.saturating_add(count);
        }
        let (candidates, more) = (&mut self.candidates, &later.candidates);
        let sums = [
            (&mut self.told, later.told),
            (&mut self.outcome_unknown, later.outcome_unknown),
            (&mut self.not_followed, later.not_followed),
            (&mut self.second_pass, later.second_pass),
            (&mut self.second_pass_known, later.second_pass_known),
            (&mut self.syn_retransmits, later.syn_retransmits),
            (&mut self.mptcp, later.mptcp),
            (&mut candidates.searches, more.searches),
            (&mut candidates.in_use, more.in_use),
            (&mut candidates.time_wait, more.time_wait),
            (&mut candidates.time_wait_reused, more.time_wait_reused),
            (&mut candidates.skipped, more.skipped),
        ];
        for (sum, later) in sums {
            *sum = sum.saturating_add(later);
        }
        for (recorder, later) in self.recorders.iter_mut().zip(&later.recorders) {
            recorder.merge(later);
        }
        self.tables.merge(&later.tables);
    }

    pub(super) fn clear(&mut self) {
        (self.told, self.outcome_unknown, self.not_followed) = (0, 0, 0);
        self.by_outcome = [0; OUTCOMES.len()];
        (self.second_pass, self.second_pass_known, self.syn_retransmits, self.mptcp) = (0, 0, 0, 0);
        self.recorders.iter_mut().for_each(Recorder::clear);
        self.candidates = CandidateTotals::default();
        self.tables.clear();
    }

    /// The snapshot. `processes` selects the number of a program's processes; `seen` are all processes.
    pub(super) fn snapshot(&self, processes: impl Fn(&Processes) -> u64, seen: &ProcessSet) -> ConnectSnapshot {
        let [port_search, handshake, total, ports_visited] = &self.recorders;
        let ended = self.by_outcome.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        ConnectSnapshot {
            connects: ended.saturating_add(self.outcome_unknown),
            told: self.told,
            outcome_unknown: self.outcome_unknown,
            not_followed: self.not_followed,
            by_outcome: self.by_outcome,
            second_pass: self.second_pass,
            second_pass_known: self.second_pass_known,
            syn_retransmits: self.syn_retransmits,
            mptcp: self.mptcp,
            port_search: port_search.distribution(),
            handshake: handshake.distribution(),
            total: total.distribution(),
            ports_visited: ports_visited.distribution(),
            candidates: self.candidates,
            programs: self.tables.programs(processes, seen),
            processes: self.tables.processes(),
            destinations: self.tables.destinations(),
            other: self.tables.other(),
        }
    }
}
