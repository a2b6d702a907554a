// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was made, delivered, lost and spent: the accounts that stand in every answer.

use crate::{
    event::level::Level,
    model::accounts::{Calibration, Cost, Counts},
};

/// The accounts of an answer: counts since the start of the run, cost of the time that the answer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Counted; `None`: it could not be read.
    pub counts: Option<Counts>,
    /// Events of attempts that came through.
    pub delivered: u64,
    /// Events of signals other than connect that came through.
    pub signals_delivered: u64,
    /// Attempts under way; known at the end.
    pub pending: Option<u64>,
    /// Spent.
    pub cost: Cost,
    /// What an attempt costs, measured on connects of our own.
    pub calibration: Option<Calibration>,
    /// Told now.
    pub level: Level,
    /// Allowed, as a share of the machine.
    pub budget: f64,
    /// CPUs of the machine; 1 where recordings do not say so, because their shares were of one CPU.
    pub cpus: u32,
    /// Memory of this process.
    pub resident_bytes: Option<u64>,
    /// Memory of its maps and programs.
    pub locked_bytes: Option<u64>,
}

impl Ledger {
    /// The programs as a share of the machine.
    pub fn programs_share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.programs_share(seconds))
    }

    /// This process as a share of the machine.
    pub fn agent_share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.agent_share(seconds))
    }

    /// Both together; `None` unless both are known.
    pub fn share(&self, seconds: f64) -> Option<f64> {
        self.of_machine(self.cost.share(seconds))
    }

    /// What the shares are of.
    pub fn machine(&self) -> String {
        if self.cpus > 1 { format!("{} CPUs", self.cpus) } else { "one CPU".to_owned() }
    }

    fn of_machine(&self, share: Option<f64>) -> Option<f64> {
        share.map(|share| share / f64::from(self.cpus.max(1)))
    }

    /// Events in the ring buffer, or on their way from it. None at the end:
    /// made = delivered + undecoded + on the way + summed + shed + lost in the ring.
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
