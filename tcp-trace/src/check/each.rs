// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions that must hold for each connect: the totals of a process and destination show that none breaks one, or that
//! one does. Where totals cannot show it, events can, if there is one of each connect.

use super::{complete::Run, evidence::Evidenced};
use crate::{
    aggregate::words::grouped,
    event::{Connect, Event, Outcome},
    findings::Evidence,
    model::folded::{FoldedCounts, FoldedRow},
    recording::trigger::{Attempts, Met, Order, Phase, Trigger},
    stream::Message,
};

/// A condition for each connect, and what broke it so far.
#[derive(Clone, Debug)]
pub(super) struct EachConnect {
    condition: Trigger,
    /// What a connect meets that breaks the condition.
    opposite: Trigger,
    /// Connects in totals, or, without totals, events.
    connects: u64,
    /// At least this many of them break the condition.
    broken: u64,
    /// Connects of which totals cannot show it.
    unsure: u64,
    /// Events of connects that break the condition.
    broken_events: u64,
    /// Events that lack a value that the condition is about.
    unsure_events: u64,
    /// One connect that breaks the condition.
    example: Option<String>,
}

impl EachConnect {
    pub(super) fn new(condition: &Trigger) -> Self {
        Self {
            condition: condition.clone(),
            opposite: condition.negated(),
            connects: 0,
            broken: 0,
            unsure: 0,
            broken_events: 0,
            unsure_events: 0,
            example: None,
        }
    }

    /// Whether totals alone may not show if the condition holds: it combines what one connect did.
    pub(super) fn needs_events(&self) -> bool {
        combines(&self.opposite)
    }

    pub(super) fn take(&mut self, message: Message<'_>, has_rows: bool) {
        match message {
            Message::Event(Event::Connect(connect)) => self.event(connect, has_rows),
            Message::Counters(counters) => {
                let Some(folded) = &counters.folded else { return };
                let other = folded.other(has_rows);
                folded.rows.iter().for_each(|row| self.totals(Some(row), &row.counts));
                self.totals(None, &other);
            }
            _ => {}
        }
    }

    fn totals(&mut self, row: Option<&FoldedRow>, counts: &FoldedCounts) {
        let all = counts.attempts();
        self.connects += all;
        match self.opposite.met_by(&Attempts { row, counts }, None) {
            Met::None => {}
            Met::Unsure => self.unsure += all,
            met => {
                self.broken += if met == Met::All { all } else { 1 };
                if let Some(row) = row {
                    self.example.get_or_insert_with(|| described(row, ""));
                }
            }
        }
    }

    fn event(&mut self, connect: &Connect, has_rows: bool) {
        let is_pending = connect.outcome == Outcome::Pending;
        let (mut broken, mut unsure) = (self.opposite.is_met(Some(connect), None), lacks(&self.opposite, connect));
        if broken && is_pending && names_an_end(&self.opposite) {
            // It has not ended in another way, either.
            (broken, unsure) = (false, true);
        }
        unsure &= !broken;
        if broken {
            let outcome = format!(", {}", connect.outcome.name());
            self.example.get_or_insert_with(|| described(&FoldedRow::of(connect), &outcome));
        }
        self.broken_events += u64::from(broken);
        self.unsure_events += u64::from(unsure);
        if is_pending || !has_rows {
            self.connects += 1;
            self.broken += u64::from(broken);
            self.unsure += u64::from(unsure);
        }
    }

    pub(super) fn evidence(&self, run: &Run<'_>) -> Evidenced {
        let condition = self.condition.to_string();
        let unseen = run.unseen();
        if let Some(why) = unseen.everything.or_else(|| run.unknown_value(&self.condition)) {
            return Evidenced::nothing(condition, why);
        }
        let broken = self.broken.max(self.broken_events);
        let mut unknown = unseen.why.or_else(|| run.unknown_end(&self.condition));
        if self.connects == 0 {
            unknown = unknown.or_else(|| Some("no connect was traced".into()));
        }
        if self.unsure > 0 {
            let lacking = match run.has_each_event() {
                true if self.unsure_events == 0 => None,
                true => Some("a value is unknown".to_owned()),
                false => Some(run.events_in_words()),
            };
            unknown = unknown.or_else(|| Some(format!("some connects may break it: {}", lacking?)));
        }
        let example = self.example.iter().map(|example| format!(", such as {example}")).collect::<String>();
        let words = match broken {
            0 => format!("0 of {} connects break it", grouped(self.connects)),
            broken => format!("at least {} of {} connects break it{example}", grouped(broken), grouped(self.connects)),
        };
        let measured = Evidence::Number(broken);
        let evidence = Evidenced { measured, unit: "connects", words, ..Evidenced::new(condition) };
        let most = if unknown.is_some() { u64::MAX } else { broken };
        evidence.decide(Order::Equal, &(broken..=most), 0, unknown)
    }
}

/// Which process connects to which destination.
fn described(row: &FoldedRow, outcome: &str) -> String {
    let to = std::net::SocketAddr::new(row.daddr, row.dport);
    format!("{} ({}) to {to}{outcome}", row.comm, row.pid)
}

/// Whether a condition requires two things of the same connect that its totals hold apart.
fn combines(condition: &Trigger) -> bool {
    let is_apart = |part: &Trigger| !matches!(part, Trigger::Comm(..) | Trigger::Pid(..) | Trigger::Port(..));
    match condition {
        Trigger::Any(parts) => parts.iter().any(combines),
        Trigger::All(parts) => parts.iter().filter(|part| is_apart(part)).count() > 1 || parts.iter().any(combines),
        // Totals have powers of two and a maximum.
        Trigger::Takes(_, order, _) => !order.is_upwards(),
        _ => false,
    }
}

/// Whether a connect lacks a value that the condition is about.
fn lacks(condition: &Trigger, connect: &Connect) -> bool {
    match condition {
        Trigger::Any(parts) | Trigger::All(parts) => parts.iter().any(|part| lacks(part, connect)),
        Trigger::Takes(Phase::Total, ..) => connect.total_ns.is_none(),
        Trigger::Takes(Phase::PortsVisited, ..) => {
            let searched = connect.port_search_ns.is_some() || connect.second_pass.is_some();
            searched && connect.ports_visited.is_none()
        }
        _ => false,
    }
}

/// Whether a condition is about how a connect ended, other than that it is in progress.
fn names_an_end(condition: &Trigger) -> bool {
    match condition {
        Trigger::Any(parts) | Trigger::All(parts) => parts.iter().any(names_an_end),
        Trigger::Ends(outcome, _) => *outcome != Outcome::Pending,
        _ => false,
    }
}
