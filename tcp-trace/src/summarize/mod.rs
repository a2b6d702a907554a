// SPDX-License-Identifier: MIT OR Apache-2.0
//! From messages to summaries of an interval and of the whole run. Pure.

pub mod accounting;
pub mod summary;

use self::{
    accounting::{Accounting, IntervalAccount},
    summary::Summary,
};
use crate::{
    aggregate::{aggregates::Aggregates, observed::Observed},
    clock::Moment,
    event::{Event, Lost},
    findings::findings,
    governor::CounterSnapshot,
    mode::Mode,
    session_info::SessionInfo,
    stream::Message,
};

/// Everything observed so far.
#[derive(Debug)]
pub struct Summarizer {
    mode: Mode,
    session: SessionInfo,
    aggregates: Aggregates,
    /// What the last inventory could not read.
    warnings: Vec<String>,
    accounting: Accounting,
}

/// Result of a message.
#[derive(Debug)]
pub enum Summarized {
    /// Nothing to report.
    Nothing,
    /// Events were lost since the last reading of the counters.
    Lost(Lost),
    /// An interval has ended.
    Interval(Box<Summary>),
    /// The run has ended.
    Whole(Box<Summary>),
}

impl Summarizer {
    /// Starts without observations.
    pub fn new(mode: Mode, session: &SessionInfo) -> Self {
        let session = session.clone();
        Self {
            mode,
            aggregates: Aggregates::new(&session),
            warnings: Vec::new(),
            accounting: Accounting::begin(session.begin.monotonic_ns),
            session,
        }
    }

    /// What was known before the first event.
    pub fn session_info(&self) -> &SessionInfo {
        &self.session
    }

    /// Consumes one message.
    pub fn take(&mut self, message: Message<'_>) -> Summarized {
        match message {
            Message::Event(event) => self.observe(event),
            Message::Counters(counters) => return self.enter(counters),
            Message::Totals(totals) => self.aggregates.enter(totals),
            Message::TimeWait(sampled) => self.aggregates.sample(sampled),
            Message::Inventory(inventory) => {
                self.aggregates.survey(inventory);
                self.warnings.clone_from(&inventory.warnings);
            }
            Message::Tick(now) => return Summarized::Interval(Box::new(self.tick(now))),
            Message::End(now) => return Summarized::Whole(Box::new(self.total(now))),
        }
        Summarized::Nothing
    }

    fn observe(&mut self, event: &Event) {
        self.aggregates.observe(event);
        self.accounting.count(event);
    }

    fn enter(&mut self, counters: &CounterSnapshot) -> Summarized {
        let before = self.accounting.counts();
        let lost = self.accounting.record(counters);
        let since = counters.counts.since(&before);
        let unknown = since.outcome_unknown(self.session.has_rows);
        self.aggregates.observe_folded(counters.folded.as_ref(), unknown, since.not_followed);
        // A loss is an event like any other.
        lost.map_or(Summarized::Nothing, |lost| {
            self.observe(&Event::Lost(lost));
            Summarized::Lost(lost)
        })
    }

    fn tick(&mut self, now: Moment) -> Summary {
        let account = self.accounting.tick(now.monotonic_ns);
        let observed = self.aggregates.tick(account.seconds);
        self.summary(now, account, observed, false)
    }

    fn total(&mut self, now: Moment) -> Summary {
        let account = self.accounting.total(now.monotonic_ns);
        let observed = self.aggregates.total(account.seconds);
        self.summary(now, account, observed, true)
    }

    fn summary(&self, now: Moment, account: IntervalAccount, observed: Observed, is_final: bool) -> Summary {
        let session = &self.session;
        let mut notes = session.notes(self.mode);
        notes.extend(self.warnings.iter().cloned());
        if session.traced && account.ledger.counts.is_none() {
            notes.push("what was counted and added up could not be read: a 0 says nothing here".into());
        }
        Summary {
            mode: self.mode,
            time: now.wall,
            is_final,
            findings: findings(&observed, &session.rules, &session.sysctls),
            observed,
            lost: account.lost,
            traced: session.traced,
            tier: session.tier(self.mode),
            kernel: session.kernel.clone(),
            ledger: account.ledger,
            notes,
        }
    }
}
