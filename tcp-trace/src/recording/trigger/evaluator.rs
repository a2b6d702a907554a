// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluates a trigger: at each connect event, at each reading of rows, which exist with or without events, and at the
//! end of each interval.

use super::{Phase, Rank, Trigger, rows::Attempts};
use crate::{
    aggregate::distribution::Distribution,
    event::{Connect, Event},
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
    pub(super) fn is_met(&self, connect: Option<&Connect>, interval: Option<&Summary>) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.is_met(connect, interval)),
            Self::All(parts) => parts.iter().all(|part| part.is_met(connect, interval)),
            Self::Quantile(rank, phase, order, bound) => {
                let value = interval.and_then(|interval| ranked(interval, *rank, *phase));
                value.is_some_and(|value| order.holds(value, *bound))
            }
            Self::Count(outcome, order, bound) => {
                interval.is_some_and(|interval| order.holds(interval.observed.connect.ended(*outcome), *bound))
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

fn taken(connect: &Connect, phase: Phase) -> Option<u64> {
    match phase {
        Phase::PortSearch => connect.port_search_ns,
        Phase::Handshake => connect.handshake_ns,
        Phase::Total => connect.total_ns,
        Phase::PortsVisited => connect.ports_visited.map(u64::from),
    }
}

fn ranked(interval: &Summary, rank: Rank, phase: Phase) -> Option<u64> {
    let connect = &interval.observed.connect;
    let Distribution { p50, p90, p99, max, .. } = match phase {
        Phase::PortSearch => &connect.port_search,
        Phase::Handshake => &connect.handshake,
        Phase::Total => &connect.total,
        Phase::PortsVisited => &connect.ports_visited,
    };
    match rank {
        Rank::P50 => *p50,
        Rank::P90 => *p90,
        Rank::P99 => *p99,
        Rank::Max => *max,
    }
}
