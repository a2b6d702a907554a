// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal: every attempt is recorded once, into the interval; the interval is merged into the total at
//! its end.

use super::distribution::{Distribution, Recorder};
use super::folded::Folded;
use super::tally::{Destination, Process, Tally};
use super::top::{Row, Top};
use crate::event::{Connect, Outcome};

/// Processes and destinations that are counted apart.
const TOP: usize = 1024;

/// Answers of the connect signal at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectSnapshot {
    /// Attempts: those of every outcome, and those of which none is known.
    pub connects: u64,
    /// Attempts that came with an event: what processes, destinations and findings rest on.
    pub told: u64,
    /// Attempts known to have been made of which no more is known: not followed, or no room for them.
    pub outcome_unknown: u64,
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
    /// Processes, worst first.
    pub processes: Vec<Row<Process, Tally>>,
    /// Destinations, worst first.
    pub destinations: Vec<Row<Destination, Tally>>,
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

/// Every outcome, in the order of the counts.
pub const OUTCOMES: [Outcome; 11] = [
    Outcome::Established,
    Outcome::Refused,
    Outcome::TimedOut,
    Outcome::Reset,
    Outcome::Unreachable,
    Outcome::NoPort,
    Outcome::PortInUse,
    Outcome::Denied,
    Outcome::Interrupted,
    Outcome::Abandoned,
    Outcome::Pending,
];

impl ConnectSnapshot {
    /// How many ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
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
}

impl ConnectAggregate {
    /// Records one attempt.
    pub fn observe(&mut self, connect: &Connect) {
        self.interval.observe(connect);
    }

    /// Records attempts that were added up in the kernel.
    pub fn observe_folded(&mut self, folded: &Folded) {
        let interval = &mut self.interval;
        for (sum, count) in interval.by_outcome.iter_mut().zip(folded.by_outcome) {
            *sum += count;
        }
        for (recorder, phase) in interval.recorders.iter_mut().zip(&folded.phases) {
            recorder.merge_folded(phase);
        }
        interval.second_pass += folded.second_pass;
        interval.second_pass_known += folded.second_pass_known;
        interval.syn_retransmits += folded.syn_retransmits;
        interval.mptcp += folded.mptcp;
    }

    /// Records attempts of which no outcome is known.
    pub fn observe_unknown(&mut self, attempts: u64) {
        self.interval.outcome_unknown += attempts;
    }

    /// Ends the interval and answers for it.
    pub fn tick(&mut self) -> ConnectSnapshot {
        let snapshot = self.interval.snapshot();
        self.fold();
        snapshot
    }

    /// Answers for everything since the start.
    pub fn total(&mut self) -> ConnectSnapshot {
        self.fold();
        self.total.snapshot()
    }

    fn fold(&mut self) {
        self.total.merge(&self.interval);
        self.interval.clear();
    }
}

#[derive(Clone, Debug)]
struct Counts {
    told: u64,
    outcome_unknown: u64,
    by_outcome: [u64; OUTCOMES.len()],
    second_pass: u64,
    second_pass_known: u64,
    syn_retransmits: u64,
    mptcp: u64,
    /// Port search, handshake, total, ports visited.
    recorders: [Recorder; 4],
    candidates: CandidateTotals,
    processes: Top<Process, Tally>,
    destinations: Top<Destination, Tally>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            told: 0,
            outcome_unknown: 0,
            by_outcome: [0; OUTCOMES.len()],
            second_pass: 0,
            second_pass_known: 0,
            syn_retransmits: 0,
            mptcp: 0,
            recorders: std::array::from_fn(|_| Recorder::new()),
            candidates: CandidateTotals::default(),
            processes: Top::new(TOP),
            destinations: Top::new(TOP),
        }
    }
}

impl Counts {
    fn observe(&mut self, connect: &Connect) {
        self.told += 1;
        self.by_outcome[connect.outcome as usize] += 1;
        self.second_pass += u64::from(connect.second_pass == Some(true));
        self.second_pass_known += u64::from(connect.second_pass.is_some());
        self.syn_retransmits += u64::from(connect.syn_retransmits.unwrap_or(0));
        self.mptcp += u64::from(connect.mptcp == Some(true));
        let values =
            [connect.port_search_ns, connect.handshake_ns, connect.total_ns, connect.ports_visited.map(u64::from)];
        for (recorder, value) in self.recorders.iter_mut().zip(values) {
            if let Some(value) = value {
                recorder.record(value);
            }
        }
        if let Some(candidates) = connect.candidates {
            self.candidates.searches += 1;
            self.candidates.in_use += u64::from(candidates.in_use);
            self.candidates.time_wait += u64::from(candidates.time_wait);
            self.candidates.time_wait_reused += u64::from(candidates.time_wait_reused);
            self.candidates.skipped += u64::from(candidates.skipped.unwrap_or(0));
        }
        let process = Process { pid: connect.caller.pid, comm: connect.caller.comm };
        let destination = Destination { netns: connect.netns, daddr: connect.daddr, dport: connect.dport };
        self.destinations.add(&destination, 1).observe(connect, &process);
        self.processes.add(&process, 1).observe(connect, &process);
    }

    fn merge(&mut self, later: &Self) {
        for (sum, count) in self.by_outcome.iter_mut().zip(later.by_outcome) {
            *sum += count;
        }
        self.told += later.told;
        self.outcome_unknown += later.outcome_unknown;
        self.second_pass += later.second_pass;
        self.second_pass_known += later.second_pass_known;
        self.syn_retransmits += later.syn_retransmits;
        self.mptcp += later.mptcp;
        for (recorder, later) in self.recorders.iter_mut().zip(&later.recorders) {
            recorder.merge(later);
        }
        self.candidates.searches += later.candidates.searches;
        self.candidates.in_use += later.candidates.in_use;
        self.candidates.time_wait += later.candidates.time_wait;
        self.candidates.time_wait_reused += later.candidates.time_wait_reused;
        self.candidates.skipped += later.candidates.skipped;
        merge_top(&mut self.processes, &later.processes);
        merge_top(&mut self.destinations, &later.destinations);
    }

    fn clear(&mut self) {
        self.by_outcome = [0; OUTCOMES.len()];
        (self.told, self.outcome_unknown) = (0, 0);
        (self.second_pass, self.second_pass_known, self.syn_retransmits, self.mptcp) = (0, 0, 0, 0);
        self.recorders.iter_mut().for_each(Recorder::clear);
        self.candidates = CandidateTotals::default();
        self.processes.clear();
        self.destinations.clear();
    }

    fn snapshot(&self) -> ConnectSnapshot {
        let [port_search, handshake, total, ports_visited] = &self.recorders;
        let connects = self.by_outcome.iter().sum::<u64>() + self.outcome_unknown;
        let some_missing = self.told < connects;
        ConnectSnapshot {
            connects,
            told: self.told,
            outcome_unknown: self.outcome_unknown,
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
            processes: worst_first(&self.processes, some_missing),
            destinations: worst_first(&self.destinations, some_missing),
        }
    }
}

fn merge_top<K: Clone + Eq + std::hash::Hash>(total: &mut Top<K, Tally>, interval: &Top<K, Tally>) {
    for (key, tally, weight, at_least) in interval.iter() {
        total.add(key, weight).merge(tally);
        if at_least {
            total.mark(key);
        }
    }
}

/// With `some_missing` events every count is a lower bound. Those with trouble first, then those with the most attempts; the key settles ties, so that rows do not dance.
fn worst_first<K: Clone + Eq + Ord + std::hash::Hash>(top: &Top<K, Tally>, some_missing: bool) -> Vec<Row<K, Tally>> {
    let mut rows: Vec<_> = top
        .iter()
        .map(|(key, tally, _, at_least)| Row {
            key: key.clone(),
            value: tally.clone(),
            at_least: at_least || some_missing,
        })
        .collect();
    let trouble = |tally: &Tally| tally.failures + tally.second_pass;
    rows.sort_unstable_by(|a, b| {
        let (x, y) = (&a.value, &b.value);
        (trouble(y), y.connects).cmp(&(trouble(x), x.connects)).then_with(|| a.key.cmp(&b.key))
    });
    rows
}

#[cfg(test)]
mod tests;
