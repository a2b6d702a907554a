// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal: every attempt is in one row, by process and destination, and counts use rows alone. At its end
//! the interval is merged into the total.

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

/// State of the connect signal for an interval or a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectSnapshot {
    /// Number of attempts, with known and unknown outcome.
    pub connects: u64,
    /// Attempts that came with an event. No other count is based on this one.
    pub told: u64,
    /// Attempts without a known outcome: not followed, or no room for them.
    pub outcome_unknown: u64,
    /// Attempts of `outcome_unknown` that a random sample left out; counts are then estimates.
    pub not_followed: u64,
    /// Attempts by outcome, in the order of [`OUTCOMES`].
    pub by_outcome: [u64; OUTCOMES.len()],
    /// Searches that went through the second parity, including those that found no port.
    pub second_pass: u64,
    /// Searches for which `second_pass` is known.
    pub second_pass_known: u64,
    /// SYN retransmits, where known.
    pub syn_retransmits: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
    /// Time in the port search, in ns.
    pub port_search: Distribution,
    /// Time from the SYN to the end of the attempt, in ns.
    pub handshake: Distribution,
    /// Time from the call to the end of the attempt, in ns.
    pub total: Distribution,
    /// Candidates that each search visited.
    pub ports_visited: Distribution,
    /// Why candidates were refused, from searches with port probes.
    pub candidates: CandidateTotals,
    /// Programs, worst first, each with all of its processes, including those that ended.
    pub programs: Vec<Row<ProgramKey, Tally>>,
    /// Processes, worst first.
    pub processes: Vec<Row<ProcessKey, Tally>>,
    /// Destinations, worst first.
    pub destinations: Vec<Row<Destination, Tally>>,
    /// Attempts that are in none of these rows.
    pub other: Others,
}

/// Attempts without a row: each table plus its `Others` is all attempts with a known outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    /// Attempts in none of the programs.
    pub programs: Tally,
    /// Attempts in none of the processes.
    pub processes: Tally,
    /// Attempts in none of the destinations.
    pub destinations: Tally,
}

/// What a list of the first `top` rows leaves out: the number of rows, and all attempts that are not in the list.
pub fn beyond<K>(rows: &[Row<K, Tally>], other: &Tally, top: usize) -> (u64, Tally) {
    let left_out = rows.get(top..).unwrap_or_default();
    let mut tally = other.clone();
    left_out.iter().for_each(|row| tally.merge(&row.value));
    (left_out.len() as u64, tally)
}

/// The precision of figures that are based on a random sample of attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Attempts that each attempt of the sample represents.
    pub factor: f64,
    /// Relative standard error of a count over the whole sample; that of a part is larger.
    pub error: f64,
}

impl Estimate {
    /// The estimated number of attempts for a count of the sample.
    pub fn of(&self, count: u64) -> u64 {
        (count as f64 * self.factor).round() as u64
    }
}

/// Candidates of the searches that ran with port probes attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CandidateTotals {
    /// Number of sampled searches.
    pub searches: u64,
    /// Candidates held by a live connection.
    pub in_use: u64,
    /// Candidates in TIME_WAIT that cannot be reused.
    pub time_wait: u64,
    /// Candidates in TIME_WAIT that connect() reused.
    pub time_wait_reused: u64,
    /// Candidates skipped without a test.
    pub skipped: u64,
}

impl ConnectSnapshot {
    /// Number of attempts with this outcome.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// The estimate; `None` if each attempt was followed, so that every count is exact.
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
    /// Processes seen in the interval.
    seen_now: ProcessSet,
    /// Processes seen in the run.
    seen: ProcessSet,
    /// Attempts without a row, until their processes are known. Ordered, so that a replay is identical.
    without_row: BTreeMap<AttemptKey, FoldedRow>,
}

/// Network namespace, process id, destination address and port.
type AttemptKey = (u32, u32, IpAddr, u16);

impl ConnectAggregate {
    /// Counts an event that arrived.
    pub fn hear(&mut self) {
        self.interval.told += 1;
    }

    /// Counts an attempt from its event, because there are no rows.
    pub fn observe(&mut self, connect: &Connect) {
        self.interval.record(connect);
        self.row(&FoldedRow::of(connect));
    }

    /// Counts an attempt that has not ended, and is therefore in no row. An event does not contain the start time of
    /// its process, rows do.
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

    /// Counts attempts that the kernel side added up. `has_rows`: all that ended are in rows.
    pub fn observe_folded(&mut self, folded: &Folded, has_rows: bool) {
        self.interval.merge_phases(&folded.phases);
        folded.rows.iter().for_each(|row| self.row(row));
        self.interval.add_other(&folded.other(has_rows));
    }

    /// Counts attempts without a known outcome; `not_followed` of them were left out of a sample.
    pub fn observe_unknown(&mut self, attempts: u64, not_followed: u64) {
        self.interval.outcome_unknown += attempts;
        self.interval.not_followed += not_followed;
    }

    fn row(&mut self, row: &FoldedRow) {
        let (now, new) = (self.seen_now.meet(row), self.seen.meet(row));
        self.interval.add_row(row, now, new);
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> ConnectSnapshot {
        self.place_pending();
        let snapshot = self.interval.snapshot(|processes| processes.now, &self.seen_now);
        self.fold();
        snapshot
    }

    /// The snapshot of everything since the start.
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
