// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts and cost, as they travel between stages: plain numbers.

use serde::{Deserialize, Serialize};

use crate::event::Lost;

/// Counts since the start, by the kernel side unless noted otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Attempts that ended and were followed: each was delivered, only added up, shed or lost in the ring.
    pub made: u64,
    /// Attempts of `made` that were not sent because detail is shed.
    pub shed: u64,
    /// Attempts of `made` that were not sent because no event of each was requested.
    #[serde(default)]
    pub summed: u64,
    /// Attempts of `made` that were not sent because the ring buffer was full.
    pub ring_full: u64,
    /// Attempts of `shed` and `ring_full` without an outcome, because there was no room for it.
    pub endings_full: u64,
    /// Attempts that were only counted, because one in N is followed.
    pub not_followed: u64,
    /// Attempts that found no room in the table of attempts.
    pub attempts_full: u64,
    /// Attempts whose return was missed.
    pub returns_missed: u64,
    /// Events of signals other than connect.
    pub signals_made: u64,
    /// Events of `signals_made` that were not sent because detail is shed.
    pub signals_shed: u64,
    /// Events of `signals_made` that were not sent because the ring buffer was full.
    pub signals_ring_full: u64,
    /// Entries of other signals that found their map full.
    pub signals_map_full: u64,
    /// Searches of `shed` and `ring_full` that went through the second parity.
    pub folded_second_pass: u64,
    /// Searches for which `folded_second_pass` is known.
    pub folded_second_pass_known: u64,
    /// SYN retransmits of `shed` and `ring_full`.
    pub folded_syn_retransmits: u64,
    /// Subflows of MPTCP connections, of `shed` and `ring_full`.
    pub folded_mptcp: u64,
    /// Runs of programs that the kernel skipped; `None` where it does not count them.
    pub runs_missed: Option<u64>,
    /// Kprobes and kretprobes that the kernel did not run; `None` if there are none, or the kernel does not count them
    /// (before 6.7).
    pub kprobes_missed: Option<u64>,
    /// Events that the agent could not decode.
    pub undecoded: u64,
}

impl Counts {
    /// Attempts without a known outcome. With rows, each followed attempt has one.
    pub fn outcome_unknown(&self, has_rows: bool) -> u64 {
        self.not_followed + self.attempts_full + if has_rows { 0 } else { self.endings_full }
    }

    /// Attempts that the kernel side added up.
    pub fn folded(&self) -> u64 {
        self.shed + self.ring_full
    }

    /// The difference since `earlier`.
    pub fn since(self, earlier: &Self) -> Self {
        let diff = u64::saturating_sub;
        Self {
            made: diff(self.made, earlier.made),
            shed: diff(self.shed, earlier.shed),
            summed: diff(self.summed, earlier.summed),
            ring_full: diff(self.ring_full, earlier.ring_full),
            endings_full: diff(self.endings_full, earlier.endings_full),
            not_followed: diff(self.not_followed, earlier.not_followed),
            attempts_full: diff(self.attempts_full, earlier.attempts_full),
            returns_missed: diff(self.returns_missed, earlier.returns_missed),
            signals_made: diff(self.signals_made, earlier.signals_made),
            signals_shed: diff(self.signals_shed, earlier.signals_shed),
            signals_ring_full: diff(self.signals_ring_full, earlier.signals_ring_full),
            signals_map_full: diff(self.signals_map_full, earlier.signals_map_full),
            folded_second_pass: diff(self.folded_second_pass, earlier.folded_second_pass),
            folded_second_pass_known: diff(self.folded_second_pass_known, earlier.folded_second_pass_known),
            folded_syn_retransmits: diff(self.folded_syn_retransmits, earlier.folded_syn_retransmits),
            folded_mptcp: diff(self.folded_mptcp, earlier.folded_mptcp),
            // The count of a program that was detached is gone.
            runs_missed: self.runs_missed.map(|now| diff(now, earlier.runs_missed.unwrap_or(0))),
            kprobes_missed: self.kprobes_missed.map(|now| diff(now, earlier.kprobes_missed.unwrap_or(0))),
            undecoded: diff(self.undecoded, earlier.undecoded),
        }
    }

    /// Attempts with any outcome; those in progress are not included.
    pub fn attempts(&self) -> u64 {
        self.made + self.not_followed + self.attempts_full
    }

    /// Losses since `earlier`; `None`: nothing.
    pub fn lost_since(&self, earlier: &Self) -> Option<Lost> {
        let news = self.since(earlier).lost();
        (news != Lost::default()).then_some(news)
    }

    fn lost(&self) -> Lost {
        Lost {
            ring_buffer: self.ring_full + self.signals_ring_full,
            map_full: self.attempts_full + self.signals_map_full,
            missed: self.returns_missed + self.runs_missed.unwrap_or(0),
        }
    }
}

/// Cost of tracing since some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time of this process in ns.
    pub agent_ns: u64,
    /// Cost of the programs, in windows without a burst of port probes.
    pub programs: Measured,
    /// Cost of the programs, in windows within bursts.
    pub in_bursts: Measured,
    /// Time in bursts in ns.
    pub bursts_ns: u64,
    /// Number of bursts; `None` if there are none to count.
    pub bursts: Option<u64>,
}

impl Cost {
    /// The difference since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            agent_ns: self.agent_ns.saturating_sub(earlier.agent_ns),
            programs: self.programs.since(earlier.programs),
            in_bursts: self.in_bursts.since(earlier.in_bursts),
            bursts_ns: self.bursts_ns.saturating_sub(earlier.bursts_ns),
            bursts: self.bursts.map(|now| now.saturating_sub(earlier.bursts.unwrap_or(0))),
        }
    }

    /// Programs as a share of one CPU: their cost without bursts, and the additional cost of bursts while they last.
    pub fn programs_share(&self, seconds: f64) -> Option<f64> {
        let (calm, burst) = (self.programs.share(), self.in_bursts.share());
        match (calm, burst) {
            (None, None) => None,
            (calm, None) => calm,
            (calm, Some(burst)) if seconds > 0.0 => {
                let calm = calm.unwrap_or(0.0);
                Some(calm + (burst - calm).max(0.0) * (self.bursts_ns as f64 / 1e9 / seconds).min(1.0))
            }
            (calm, Some(_)) => calm,
        }
    }

    /// This process as a share of one CPU.
    pub fn agent_share(&self, seconds: f64) -> Option<f64> {
        (seconds > 0.0).then(|| self.agent_ns as f64 / 1e9 / seconds)
    }

    /// Programs and this process as a share of one CPU; `None` unless both are known.
    pub fn share(&self, seconds: f64) -> Option<f64> {
        Some(self.programs_share(seconds)? + self.agent_share(seconds)?)
    }
}

/// Sum of the measurements of windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Total length of the windows in ns.
    pub window_ns: u64,
    /// Time in programs in ns, all CPUs together.
    pub ns: u64,
    /// Number of program runs.
    pub runs: u64,
    /// Attempts that ended, or were seen and not followed.
    pub connects: u64,
}

impl Measured {
    /// Share of one CPU; `None` until a program ran in a window.
    pub fn share(&self) -> Option<f64> {
        (self.runs > 0 && self.window_ns > 0).then(|| self.ns as f64 / self.window_ns as f64)
    }

    /// Time in programs per attempt in ns; `None` until an attempt ended in a window.
    pub fn ns_per_connect(&self) -> Option<u64> {
        self.ns.checked_div(self.connects)
    }

    /// The sum of two measurements.
    pub fn plus(self, other: Self) -> Self {
        Self {
            window_ns: self.window_ns + other.window_ns,
            ns: self.ns + other.ns,
            runs: self.runs + other.runs,
            connects: self.connects + other.connects,
        }
    }

    /// The difference since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            window_ns: self.window_ns - earlier.window_ns,
            ns: self.ns - earlier.ns,
            runs: self.runs - earlier.runs,
            connects: self.connects - earlier.connects,
        }
    }
}

/// Cost that tracing adds to one connect to a refused port of loopback, as the difference of two medians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Number of connects before and after attaching.
    pub connects: u32,
    /// Added time in ns; negative if the measurement is within its noise.
    pub ns: i64,
    /// Added instructions of the kernel; `None` without a hardware counter.
    pub instructions: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ns: u64, window_ns: u64) -> Measured {
        Measured { window_ns, ns, runs: 1, connects: 10 }
    }

    #[test]
    fn programs_that_did_not_run_cost_nobody_knows_what() {
        let idle = Measured { window_ns: 20_000_000, ..Measured::default() };
        let cost = Cost { agent_ns: 1_000_000, programs: idle, ..Cost::default() };
        assert_eq!((cost.programs_share(1.0), cost.share(1.0)), (None, None));
        assert_eq!(cost.agent_share(1.0), Some(0.001));
    }

    #[test]
    fn bursts_count_for_as_long_as_they_last() {
        let cost = Cost {
            programs: measured(1, 100),
            in_bursts: measured(51, 100),
            bursts_ns: 100_000_000,
            ..Cost::default()
        };
        assert!((cost.programs_share(10.0).unwrap() - 0.015).abs() < 1e-9);
    }

    #[test]
    fn bursts_are_known_from_the_start() {
        let cost = Cost { bursts: Some(3), ..Cost::default() };
        assert_eq!((cost.since(Cost::default()).bursts, cost.since(cost).bursts), (Some(3), Some(0)));
        assert_eq!(Cost::default().since(Cost::default()).bursts, None);
    }

    #[test]
    fn a_loss_is_news_once() {
        let first = Counts { ring_full: 2, runs_missed: Some(4), ..Counts::default() };
        assert_eq!(first.lost_since(&Counts::default()), Some(Lost { ring_buffer: 2, map_full: 0, missed: 4 }));
        assert_eq!(first.lost_since(&first), None);
        assert_eq!(Counts { runs_missed: Some(1), ..first }.lost_since(&first), None);
    }
}
