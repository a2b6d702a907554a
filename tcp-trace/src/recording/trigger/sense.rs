// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a trigger is met by what happens: asked at each connect, at each look at the rows of attempts, which are there
//! whether or not an event of each is, and of each interval as it ends.

use tcp_trace_common::connect_rows::FIRST_OF_TIMES;

use super::{Order, Phase, Rank, Trigger};
use crate::aggregate::distribution::Distribution;
use crate::aggregate::folded::{FoldedCounts, FoldedRow, FoldedSpread};
use crate::aggregate::summary::Summary;
use crate::circumstances::Circumstances;
use crate::event::{Connect, Event};
use crate::question::Question;
use crate::reckoning::{Reckoned, Reckoning};
use crate::road::Happening;

/// A trigger, and what it goes by.
#[derive(Debug)]
pub struct Sense {
    trigger: Trigger,
    reckoning: Reckoning,
    /// The last interval that ended.
    interval: Option<Box<Summary>>,
}

impl Sense {
    /// Nothing has happened yet.
    pub fn new(trigger: Trigger, known: &Circumstances) -> Self {
        Self { trigger, reckoning: Reckoning::new(Question::Doctor, known), interval: None }
    }

    /// Takes a happening; says whether it is one to fire at.
    pub fn feels(&mut self, happening: Happening<'_>) -> bool {
        if let Reckoned::Interval(summary) = self.reckoning.take(happening) {
            self.interval = Some(summary);
            return self.trigger.is_met(None, self.interval.as_deref());
        }
        match happening {
            Happening::Event(Event::Connect(connect)) => self.trigger.is_met(Some(connect), self.interval.as_deref()),
            Happening::Stock(stock) => stock.folded.as_ref().is_some_and(|folded| {
                let other = Attempts { row: None, counts: &folded.other };
                let rows = folded.rows.iter().map(|row| Attempts { row: Some(row), counts: &row.counts });
                rows.chain([other]).any(|attempts| self.trigger.met_by(&attempts, self.interval.as_deref()).is_sure())
            }),
            _ => false,
        }
    }
}

impl Trigger {
    fn is_met(&self, connect: Option<&Connect>, interval: Option<&Summary>) -> bool {
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

/// Attempts that were added up, and whose they are, if that is known.
struct Attempts<'a> {
    row: Option<&'a FoldedRow>,
    counts: &'a FoldedCounts,
}

/// How many of such attempts meet a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    None,
    /// Nobody can tell from sums.
    Unsure,
    Some,
    All,
}

impl Met {
    fn is_sure(self) -> bool {
        self >= Self::Some
    }

    fn always(is_so: bool) -> Self {
        if is_so { Self::All } else { Self::None }
    }

    /// Of `all`.
    fn of(some: u64, all: u64) -> Self {
        match some {
            0 => Self::None,
            _ if some >= all => Self::All,
            _ => Self::Some,
        }
    }

    /// Meeting both: some that meet one and some that meet the other need not be the same.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, met) | (met, Self::All) => met,
            _ => Self::Unsure,
        }
    }
}

impl Trigger {
    fn met_by(&self, attempts: &Attempts<'_>, interval: Option<&Summary>) -> Met {
        let all = attempts.counts.attempts();
        let of_row = |is_so: &dyn Fn(&FoldedRow) -> bool, same: bool| match attempts.row {
            Some(row) => Met::always(is_so(row) == same),
            None => Met::Unsure,
        };
        let met = match self {
            Self::Any(parts) => parts.iter().map(|part| part.met_by(attempts, interval)).max().unwrap_or(Met::None),
            Self::All(parts) => parts.iter().map(|part| part.met_by(attempts, interval)).fold(Met::All, Met::and),
            Self::Ends(outcome, true) => Met::of(attempts.counts.ended(*outcome), all),
            Self::Ends(outcome, false) => Met::of(all.saturating_sub(attempts.counts.ended(*outcome)), all),
            Self::Takes(phase, order, bound) => spread(attempts.counts, *phase).met(*order, *bound, all),
            // The thread that called last gave it.
            Self::Comm(comm, same) => of_row(&|row| row.comm == *comm, *same),
            Self::Pid(pid, same) => of_row(&|row| row.pid == *pid, *same),
            Self::Port(port, same) => of_row(&|row| row.dport == *port, *same),
            Self::Quantile(..) | Self::Count(..) | Self::Finds(..) => Met::always(self.is_met(None, interval)),
        };
        if all == 0 { Met::None } else { met }
    }
}

impl FoldedSpread {
    /// By the largest, and by the powers of two that the values are in.
    fn met(&self, order: Order, bound: u64, all: u64) -> Met {
        let least = self.buckets.iter().position(|count| *count > 0);
        // All values of the first bucket are below this.
        let below = least.map_or(u64::MAX, |power| (2_u64 << power) - 1);
        // The first that the kernel side has of times holds all that is less, too.
        let at_least = least.filter(|power| *power > FIRST_OF_TIMES as usize).map_or(0, |power| 1 << power);
        let every = self.known == all;
        match order {
            Order::More | Order::AtLeast if self.known == 0 || !order.holds(self.max, bound) => Met::None,
            Order::More | Order::AtLeast if every && order.holds(at_least, bound) => Met::All,
            Order::More | Order::AtLeast => Met::Some,
            Order::Less | Order::AtMost if self.known == 0 || !order.holds(at_least, bound) => Met::None,
            Order::Less | Order::AtMost if every && order.holds(self.max, bound) => Met::All,
            Order::Less | Order::AtMost if order.holds(below, bound) => Met::Some,
            Order::Less | Order::AtMost => Met::Unsure,
        }
    }
}

fn spread(counts: &FoldedCounts, phase: Phase) -> &FoldedSpread {
    match phase {
        Phase::PortSearch => &counts.search_ns,
        Phase::Handshake => &counts.handshake_ns,
        Phase::Total => &counts.total_ns,
        Phase::PortsVisited => &counts.visited,
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
