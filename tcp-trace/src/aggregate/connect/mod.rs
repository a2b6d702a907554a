// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal: every attempt is in one row, by who and where, and counted from there alone; the interval is merged
//! into the total at its end.

mod counts;
mod tables;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use self::{counts::Counts, tables::ProcessSet};
use super::{
    distribution::Distribution,
    tally::{Destination, ProcessKey, ProgramKey, Tally},
    top::Row,
};
use crate::{
    event::{Connect, OUTCOMES, Outcome},
    model::folded::{Folded, FoldedRow},
};

/// Answers of the connect signal at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectSnapshot {
    /// Attempts: those of every outcome, and those of which none is known.
    pub connects: u64,
    /// Attempts that came with an event: the examples. No count rests on them.
    pub told: u64,
    /// Attempts known to have been made of which no more is known: not followed, or no room for them.
    pub outcome_unknown: u64,
    /// Of these, left out of a random sample: what is counted of the others is an estimate.
    pub not_followed: u64,
    /// How the others ended, in the order of [`OUTCOMES`].
    pub by_outcome: [u64; OUTCOMES.len()],
    /// Searches that looked at the second parity, those that found no port included.
    pub second_pass: u64,
    /// Searches of which that is known.
    pub second_pass_known: u64,
    /// SYNs sent again, where known.
    pub syn_retransmits: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
    /// Time in the port search.
    pub port_search: Distribution,
    /// Time from SYN to the end.
    pub handshake: Distribution,
    /// Time from the call to the end.
    pub total: Distribution,
    /// Candidates looked at per search.
    pub ports_visited: Distribution,
    /// Why candidates were refused, where the port probes were attached.
    pub candidates: CandidateTotals,
    /// Programs, worst first: their processes together, those that ended too.
    pub programs: Vec<Row<ProgramKey, Tally>>,
    /// Processes, worst first.
    pub processes: Vec<Row<ProcessKey, Tally>>,
    /// Destinations, worst first.
    pub destinations: Vec<Row<Destination, Tally>>,
    /// Attempts in none of these rows.
    pub other: Others,
}

/// Attempts that found no room in a row: with them each table is all attempts whose outcome is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    /// Beside the programs.
    pub programs: Tally,
    /// Beside the processes.
    pub processes: Tally,
    /// Beside the destinations.
    pub destinations: Tally,
}

/// What a list of the first `top` rows leaves out: how many rows, and all attempts that are in none of the list.
pub fn beyond<K>(rows: &[Row<K, Tally>], other: &Tally, top: usize) -> (u64, Tally) {
    let left_out = rows.get(top..).unwrap_or_default();
    let mut tally = other.clone();
    left_out.iter().for_each(|row| tally.merge(&row.value));
    (left_out.len() as u64, tally)
}

/// How far to believe a figure that rests on a random sample of attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Attempts that each of the sample stands for.
    pub factor: f64,
    /// Relative standard error of a count of all of the sample; that of a part is larger.
    pub error: f64,
}

impl Estimate {
    /// What a count of the sample comes to.
    pub fn of(&self, count: u64) -> u64 {
        (count as f64 * self.factor).round() as u64
    }
}

/// Sums over the searches that ran with the port probes attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CandidateTotals {
    /// Searches sampled.
    pub searches: u64,
    /// Held by a live connection.
    pub in_use: u64,
    /// In TIME_WAIT, not reusable.
    pub time_wait: u64,
    /// In TIME_WAIT, taken over.
    pub time_wait_reused: u64,
    /// Skipped without a test.
    pub skipped: u64,
}

impl ConnectSnapshot {
    /// How many ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// `None`: each attempt was followed, and every count is exact.
    pub fn estimate(&self) -> Option<Estimate> {
        let followed = (self.connects - self.outcome_unknown) as f64;
        let sampled = self.not_followed > 0 && followed > 0.0;
        sampled.then(|| Estimate { factor: 1.0 + self.not_followed as f64 / followed, error: 1.0 / followed.sqrt() })
    }

    /// Outcomes that occurred, with their counts.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        OUTCOMES.into_iter().zip(self.by_outcome).filter(|(_, count)| *count != 0)
    }
}

/// Interval and total of the connect signal.
#[derive(Clone, Debug, Default)]
pub struct ConnectAggregate {
    interval: Counts,
    total: Counts,
    /// Processes of the interval.
    seen_now: ProcessSet,
    /// Processes of the run.
    seen: ProcessSet,
    /// Attempts that no row has, until it is known which processes they are of. In an order, so that a replay is the same.
    without_row: BTreeMap<AttemptKey, FoldedRow>,
}

/// Network namespace, process and destination.
type AttemptKey = (u32, u32, IpAddr, u16);

impl ConnectAggregate {
    /// An event came through.
    pub fn hear(&mut self) {
        self.interval.told += 1;
    }

    /// Counts an attempt by its event, because there are no rows.
    pub fn observe(&mut self, connect: &Connect) {
        self.interval.record(connect);
        self.row(&FoldedRow::of(connect));
    }

    /// Counts an attempt that has not ended, and so is in no row. An event does not say when its process was started, rows
    /// do.
    pub fn observe_pending(&mut self, connect: &Connect) {
        self.interval.record(connect);
        let place = (connect.netns, connect.caller.pid, connect.daddr, connect.dport);
        match self.without_row.entry(place) {
            Entry::Occupied(mut row) => row.get_mut().counts.add(connect),
            Entry::Vacant(vacant) => drop(vacant.insert(FoldedRow::of(connect))),
        }
    }

    fn place_pending(&mut self) {
        for (_, row) in std::mem::take(&mut self.without_row) {
            let process_start_ns = self.seen.started_ns(row.pid);
            self.row(&FoldedRow { process_start_ns, ..row });
        }
    }

    /// Counts attempts that were added up in the kernel. `has_rows`: by who and where, all that ended.
    pub fn observe_folded(&mut self, folded: &Folded, has_rows: bool) {
        self.interval.merge_phases(&folded.phases);
        folded.rows.iter().for_each(|row| self.row(row));
        self.interval.add_other(&folded.other(has_rows));
    }

    /// Counts attempts of which no outcome is known, `not_followed` of them because one in many is followed.
    pub fn observe_unknown(&mut self, attempts: u64, not_followed: u64) {
        self.interval.outcome_unknown += attempts;
        self.interval.not_followed += not_followed;
    }

    fn row(&mut self, row: &FoldedRow) {
        let (now, new) = (self.seen_now.meet(row), self.seen.meet(row));
        self.interval.add_row(row, now, new);
    }

    /// Ends the interval and answers for it.
    pub fn tick(&mut self) -> ConnectSnapshot {
        self.place_pending();
        let snapshot = self.interval.snapshot(|processes| processes.now, &self.seen_now);
        self.fold();
        snapshot
    }

    /// Answers for everything since the start.
    pub fn total(&mut self) -> ConnectSnapshot {
        self.place_pending();
        self.fold();
        self.total.snapshot(|processes| processes.new, &self.seen)
    }

    fn fold(&mut self) {
        self.total.merge(&self.interval);
        self.interval.clear();
        self.seen_now.clear();
    }
}

#[cfg(test)]
mod tests;
