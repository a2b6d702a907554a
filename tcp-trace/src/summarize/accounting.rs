// SPDX-License-Identifier: MIT OR Apache-2.0
//! The accounts of a run, for the interval and since the start: what was delivered, lost and spent.

use crate::{
    aggregate::ledger::Ledger,
    event::{Event, Lost, Outcome},
    governor::CounterSnapshot,
    model::accounts::{Cost, Counts},
};

/// Accounts from the first event to the final summary.
#[derive(Debug)]
pub struct Accounting {
    ledger: Ledger,
    interval_lost: Lost,
    total_lost: Lost,
    /// Cost before the interval.
    interval_begin_cost: Cost,
    begin_ns: u64,
    interval_begin_ns: u64,
}

/// The accounts of an interval or of the run.
#[derive(Clone, Copy, Debug)]
pub struct IntervalAccount {
    /// Length in seconds.
    pub seconds: f64,
    /// Losses in this time.
    pub lost: Lost,
    /// Counts since the start, cost of this time.
    pub ledger: Ledger,
}

impl Accounting {
    /// Opens the accounts at `now_ns` of the monotonic clock.
    pub fn begin(now_ns: u64) -> Self {
        Self {
            ledger: Ledger::default(),
            interval_lost: Lost::default(),
            total_lost: Lost::default(),
            interval_begin_cost: Cost::default(),
            begin_ns: now_ns,
            interval_begin_ns: now_ns,
        }
    }

    /// Counts a delivered event.
    pub fn count(&mut self, event: &Event) {
        match event {
            // An attempt still in progress at the end was never sent.
            Event::Connect(connect) if connect.outcome == Outcome::Pending => {
                *self.ledger.pending.get_or_insert_default() += 1;
            }
            Event::Connect(_) => self.ledger.delivered += 1,
            Event::Lost(lost) => {
                self.interval_lost.add(*lost);
                self.total_lost.add(*lost);
            }
            Event::Detail(_) => {}
            Event::TimeWait(_) | Event::Bind(_) | Event::ListenDrop(_) | Event::State(_) | Event::Stack(_) => {
                self.ledger.signals_delivered += 1;
            }
        }
    }

    /// Adds a reading of the counters; returns the losses since the last one.
    pub fn record(&mut self, counters: &CounterSnapshot) -> Option<Lost> {
        let earlier = self.ledger.counts.replace(counters.counts).unwrap_or_default();
        self.ledger.cost = counters.cost;
        self.ledger.level = counters.level;
        self.ledger.budget = counters.budget;
        self.ledger.cpus = counters.cpus;
        self.ledger.resident_bytes = counters.resident_bytes;
        self.ledger.locked_bytes = counters.locked_bytes;
        self.ledger.calibration = counters.calibration;
        counters.counts.lost_since(&earlier)
    }

    /// Counts since the start, as of the last reading.
    pub fn counts(&self) -> Counts {
        self.ledger.counts.unwrap_or_default()
    }

    /// Ends the interval and returns its accounts.
    pub fn tick(&mut self, now_ns: u64) -> IntervalAccount {
        let account = IntervalAccount {
            seconds: seconds(self.interval_begin_ns, now_ns),
            lost: std::mem::take(&mut self.interval_lost),
            ledger: Ledger { cost: self.ledger.cost.since(self.interval_begin_cost), ..self.ledger },
        };
        self.interval_begin_ns = now_ns;
        self.interval_begin_cost = self.ledger.cost;
        account
    }

    /// Returns the accounts of the run.
    pub fn total(&mut self, now_ns: u64) -> IntervalAccount {
        self.ledger.pending.get_or_insert_default();
        IntervalAccount { seconds: seconds(self.begin_ns, now_ns), lost: self.total_lost, ledger: self.ledger }
    }
}

fn seconds(begin_ns: u64, end_ns: u64) -> f64 {
    end_ns.saturating_sub(begin_ns) as f64 / 1e9
}
