// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ledger of every report: what was made, delivered and lost, and what tracing cost.

use crate::{
    event::level::Level,
    model::accounts::{Calibration, Cost, Counts},
};

/// The ledger of a report: counts since the start of the run, cost of the interval or run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Counts of the kernel side.
    pub counts: Option<Counts>,
    /// Events of attempts that were delivered.
    pub delivered: u64,
    /// Events of signals other than connect that were delivered.
    pub signals_delivered: u64,
    /// Attempts in progress; known at the end.
    pub pending: Option<u64>,
    /// Cost of programs and agent.
    pub cost: Cost,
    /// Cost that tracing adds to an attempt, measured with connects of tcp-trace itself.
    pub calibration: Option<Calibration>,
    /// The current detail.
    pub level: Level,
    /// The budget, as a share of the machine.
    pub budget: f64,
    /// Number of CPUs; 1 for recordings that lack it, because their shares were of one CPU.
    pub cpus: u32,
    /// Resident memory of this process in bytes.
    pub resident_bytes: Option<u64>,
    /// Memory of its BPF maps and programs in bytes.
    pub locked_bytes: Option<u64>,
}

impl Ledger {
    /// CPU time of the programs as a share of the machine.
    pub fn programs_share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.programs_share(seconds))
    }

    /// CPU time of this process as a share of the machine.
    pub fn agent_share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.agent_share(seconds))
    }

    /// CPU time of both as a share of the machine; `None` unless both are known.
    pub fn share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.share(seconds))
    }

    /// The machine in words, as the base of the shares.
    pub fn machine(&self) -> String {
        if self.cpus > 1 { format!("{} CPUs", self.cpus) } else { "one CPU".to_owned() }
    }

    fn of_machine(&self, share: Option<f64>) -> Option<f64> {
        share.map(|share| share / f64::from(self.cpus.max(1)))
    }

    /// Events in the ring buffer, or read from it and not yet delivered. 0 at the end: made = delivered + undecoded +
    /// in flight + summed + shed + lost in the ring.
    pub fn in_flight(&self) -> Option<u64> {
        let counts = self.counts?;
        let settled = self.delivered + counts.undecoded + counts.summed + counts.shed + counts.ring_full;
        Some(counts.made.saturating_sub(settled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_balance() {
        let counts = Counts {
            made: 100,
            summed: 30,
            shed: 20,
            ring_full: 5,
            not_followed: 7,
            endings_full: 1,
            ..Counts::default()
        };
        let ledger = Ledger { counts: Some(counts), delivered: 40, ..Ledger::default() };
        assert_eq!((ledger.in_flight(), counts.attempts()), (Some(5), 107));
        assert_eq!([true, false].map(|has_rows| counts.outcome_unknown(has_rows)), [7, 8]);
    }
}
