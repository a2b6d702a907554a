// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluates a trigger: at each connect event, at each reading of rows, which exist with or without events, and at the
//! end of each interval.

use super::{Counted, Phase, Rank, Room, Trigger, rows::Attempts};
use crate::{
    aggregate::{connect::ConnectSnapshot, distribution::Distribution, ports::HeadRoom},
    event::{Connect, Event, Outcome},
    mode::Mode,
    session_info::SessionInfo,
    stream::Message,
    summarize::{Summarized, Summarizer, summary::Summary},
};

/// A trigger and the state of its evaluation.
#[derive(Debug)]
pub struct TriggerEvaluator {
    trigger: Trigger,
    summarizer: Summarizer,
    /// Summary of the last interval that ended.
    interval: Option<Box<Summary>>,
}

impl TriggerEvaluator {
    /// Starts without messages.
    pub fn new(trigger: Trigger, known: &SessionInfo) -> Self {
        Self { trigger, summarizer: Summarizer::new(Mode::Doctor, known), interval: None }
    }

    /// Consumes a message; returns whether the trigger fires.
    pub fn matches(&mut self, message: Message<'_>) -> bool {
        if let Summarized::Interval(summary) = self.summarizer.take(message) {
            self.interval = Some(summary);
            return self.trigger.is_met(None, self.interval.as_deref());
        }
        match message {
            Message::Event(Event::Connect(connect)) => self.trigger.is_met(Some(connect), self.interval.as_deref()),
            Message::Counters(counters) => counters.folded.as_ref().is_some_and(|folded| {
                let other = Attempts { row: None, counts: &folded.other };
                let rows = folded.rows.iter().map(|row| Attempts { row: Some(row), counts: &row.counts });
                rows.chain([other]).any(|attempts| self.trigger.met_by(&attempts, self.interval.as_deref()).is_sure())
            }),
            _ => false,
        }
    }
}

impl Trigger {
    /// Whether the condition holds for this connect and the last interval; what is unknown does not.
    pub fn is_met(&self, connect: Option<&Connect>, interval: Option<&Summary>) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.is_met(connect, interval)),
            Self::All(parts) => parts.iter().all(|part| part.is_met(connect, interval)),
            Self::Quantile(rank, phase, order, bound) => {
                let value = interval.and_then(|interval| ranked(interval, *rank, *phase));
                value.is_some_and(|value| order.holds(value, *bound))
            }
            Self::Count(counted, order, bound) => {
                interval.is_some_and(|interval| order.holds(counted.of(&interval.observed.connect).0, *bound))
            }
            Self::Share(counted, order, bound) => interval.is_some_and(|interval| {
                let (count, all) = counted.of(&interval.observed.connect);
                all > 0 && order.holds(count as f64 / all as f64, *bound)
            }),
            Self::HeadRoom(order, bound) => {
                let ports = interval.map(|interval| &interval.observed.ports);
                ports.is_some_and(|ports| match bound {
                    Room::Connects(bound) => ports
                        .least_room(|room| f64::from(room.left))
                        .is_some_and(|room| order.holds(u64::from(room.left), *bound)),
                    Room::Share(bound) => {
                        ports.least_room(HeadRoom::share).is_some_and(|room| order.holds(room.share(), *bound))
                    }
                })
            }
            Self::Takes(phase, order, bound) => {
                let value = connect.and_then(|connect| taken(connect, *phase));
                value.is_some_and(|value| order.holds(value, *bound))
            }
            Self::Ends(outcome, same) => connect.is_some_and(|connect| (connect.outcome == *outcome) == *same),
            Self::Comm(comm, same) => connect.is_some_and(|connect| (connect.caller.comm == *comm) == *same),
            Self::Pid(pid, same) => connect.is_some_and(|connect| (connect.caller.pid == *pid) == *same),
            Self::Port(port, same) => connect.is_some_and(|connect| (connect.dport == *port) == *same),
            Self::Finds(code, same) => {
                let found = |interval: &Summary| interval.findings.iter().any(|finding| finding.code == *code);
                interval.is_some_and(|interval| found(interval) == *same)
            }
        }
    }
}

impl Counted {
    /// The number of these attempts, and of those that it is a part of.
    pub fn of(self, connect: &ConnectSnapshot) -> (u64, u64) {
        let ended = connect.connects - connect.outcome_unknown - connect.ended(Outcome::Pending);
        match self {
            Self::Ends(Outcome::Pending, same) => {
                let pending = connect.ended(Outcome::Pending);
                (if same { pending } else { ended }, ended + pending)
            }
            Self::Ends(outcome, true) => (connect.ended(outcome), ended),
            Self::Ends(outcome, false) => (ended - connect.ended(outcome), ended),
            Self::SecondPass => (connect.second_pass, connect.second_pass_known),
        }
    }
}

fn taken(connect: &Connect, phase: Phase) -> Option<u64> {
    match phase {
        Phase::PortSearch => connect.port_search_ns,
        Phase::Handshake => connect.handshake_ns,
        Phase::Total => connect.total_ns,
        Phase::PortsVisited => connect.ports_visited.map(u64::from),
    }
}

fn ranked(interval: &Summary, rank: Rank, phase: Phase) -> Option<u64> {
    rank.of(phase.of(&interval.observed.connect))
}

impl Phase {
    /// The distribution of this measurement.
    pub fn of(self, connect: &ConnectSnapshot) -> &Distribution {
        match self {
            Self::PortSearch => &connect.port_search,
            Self::Handshake => &connect.handshake,
            Self::Total => &connect.total,
            Self::PortsVisited => &connect.ports_visited,
        }
    }
}

impl Rank {
    /// The statistic of a distribution; `None` while it is empty.
    pub fn of(self, distribution: &Distribution) -> Option<u64> {
        match self {
            Self::P50 => distribution.p50,
            Self::P90 => distribution.p90,
            Self::P99 => distribution.p99,
            Self::Max => distribution.max,
        }
    }
}
