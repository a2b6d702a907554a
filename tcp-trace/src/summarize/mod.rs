// SPDX-License-Identifier: MIT OR Apache-2.0
//! From what happens to what can be said of it: an interval's summary, and the whole run's. Pure.

pub mod accounting;
pub mod summary;

use self::{
    accounting::{Books, Page},
    summary::Summary,
};
use crate::{
    aggregate::{aggregates::Aggregates, observed::Observed},
    clock::Moment,
    event::{Event, Lost},
    findings::findings,
    governor::Stock,
    mode::Question,
    session_info::Circumstances,
    stream::Happening,
};

/// Everything observed so far.
#[derive(Debug)]
pub struct Reckoning {
    question: Question,
    circumstances: Circumstances,
    aggregates: Aggregates,
    /// What the last inventory could not look at.
    lacks: Vec<String>,
    books: Books,
}

/// What a happening gave rise to.
#[derive(Debug)]
pub enum Reckoned {
    /// Nothing to tell yet.
    Nothing,
    /// Something was lost since the last look at the books.
    Lost(Lost),
    /// An interval has ended.
    Interval(Box<Summary>),
    /// The run has.
    Whole(Box<Summary>),
}

impl Reckoning {
    /// Nothing observed yet.
    pub fn new(question: Question, circumstances: &Circumstances) -> Self {
        let circumstances = circumstances.clone();
        Self {
            question,
            aggregates: Aggregates::new(&circumstances),
            lacks: Vec::new(),
            books: Books::open(circumstances.begin.monotonic_ns),
            circumstances,
        }
    }

    /// What is known before the first event.
    pub fn circumstances(&self) -> &Circumstances {
        &self.circumstances
    }

    /// Takes one happening.
    pub fn take(&mut self, happening: Happening<'_>) -> Reckoned {
        match happening {
            Happening::Event(event) => self.observe(event),
            Happening::Stock(stock) => return self.enter(stock),
            Happening::Totals(totals) => self.aggregates.enter(totals),
            Happening::TimeWait(sampled) => self.aggregates.sample(sampled),
            Happening::Inventory(inventory) => {
                self.aggregates.survey(inventory);
                self.lacks.clone_from(&inventory.lacks);
            }
            Happening::Tick(now) => return Reckoned::Interval(Box::new(self.tick(now))),
            Happening::End(now) => return Reckoned::Whole(Box::new(self.total(now))),
        }
        Reckoned::Nothing
    }

    fn observe(&mut self, event: &Event) {
        self.aggregates.observe(event);
        self.books.count(event);
    }

    fn enter(&mut self, stock: &Stock) -> Reckoned {
        let before = self.books.counts();
        let lost = self.books.enter(stock);
        let since = stock.counts.since(&before);
        let unknown = since.outcome_unknown(self.circumstances.has_rows);
        self.aggregates.observe_folded(stock.folded.as_ref(), unknown, since.not_followed);
        // What is lost is an event like any other.
        lost.map_or(Reckoned::Nothing, |lost| {
            self.observe(&Event::Lost(lost));
            Reckoned::Lost(lost)
        })
    }

    fn tick(&mut self, now: Moment) -> Summary {
        let page = self.books.tick(now.monotonic_ns);
        let observed = self.aggregates.tick(page.seconds);
        self.summary(now, page, observed, false)
    }

    fn total(&mut self, now: Moment) -> Summary {
        let page = self.books.total(now.monotonic_ns);
        let observed = self.aggregates.total(page.seconds);
        self.summary(now, page, observed, true)
    }

    fn summary(&self, now: Moment, page: Page, observed: Observed, is_final: bool) -> Summary {
        let circumstances = &self.circumstances;
        let mut notes = circumstances.notes(self.question);
        notes.extend(self.lacks.iter().cloned());
        Summary {
            question: self.question,
            time: now.wall,
            is_final,
            findings: findings(&observed, &circumstances.rules, &circumstances.sysctls),
            observed,
            lost: page.lost,
            traced: circumstances.traced,
            tier: circumstances.tier(self.question),
            kernel: circumstances.kernel.clone(),
            ledger: page.ledger,
            notes,
        }
    }
}
