// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether attempts in a row fire a trigger, as far as sums can show it.

use tcp_trace_common::connect_rows::FIRST_OF_TIMES;

use super::{Order, Phase, Trigger};
use crate::{
    model::folded::{FoldedCounts, FoldedRow, FoldedSpread},
    summarize::summary::Summary,
};

/// Attempts of a row, and their process and destination, if known.
#[derive(Clone, Copy, Debug)]
pub struct Attempts<'a> {
    /// The row; `None`: attempts that found no room in one.
    pub row: Option<&'a FoldedRow>,
    /// Their counts.
    pub counts: &'a FoldedCounts,
}

/// How many of a row's attempts meet a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// None of them.
    None,
    /// Sums cannot show whether the condition holds.
    Unsure,
    /// At least one.
    Some,
    /// Each of them.
    All,
}

impl Met {
    /// Whether at least one certainly does.
    pub fn is_sure(self) -> bool {
        self >= Self::Some
    }

    fn always(is_so: bool) -> Self {
        if is_so { Self::All } else { Self::None }
    }

    /// The result for `some` of `all` attempts.
    fn of(some: u64, all: u64) -> Self {
        match some {
            0 => Self::None,
            _ if some >= all => Self::All,
            _ => Self::Some,
        }
    }

    /// How many meet both conditions: those that meet one and those that meet the other need not be the same.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, met) | (met, Self::All) => met,
            _ => Self::Unsure,
        }
    }
}

impl Trigger {
    /// How many of these attempts meet the condition, together with the last interval.
    pub fn met_by(&self, attempts: &Attempts<'_>, interval: Option<&Summary>) -> Met {
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
            Self::Takes(phase, order, bound) => {
                let values = spread(attempts.counts, *phase);
                match of_values(values, *order, *bound, all) {
                    Met::None if values.known < expected(attempts.counts, *phase) => Met::Unsure,
                    met => met,
                }
            }
            // The thread that called last gave it.
            Self::Comm(comm, same) => of_row(&|row| row.comm == *comm, *same),
            Self::Pid(pid, same) => of_row(&|row| row.pid == *pid, *same),
            Self::Port(port, same) => of_row(&|row| row.dport == *port, *same),
            Self::Quantile(..) | Self::Count(..) | Self::Share(..) | Self::HeadRoom(..) | Self::Finds(..) => {
                Met::always(self.is_met(None, interval))
            }
        };
        if all == 0 { Met::None } else { met }
    }
}

/// Compares with the maximum, and with the powers of two of the values.
fn of_values(values: &FoldedSpread, order: Order, bound: u64, all: u64) -> Met {
    let least = values.buckets.iter().position(|count| *count > 0);
    // All values of the first bucket are below this.
    let below = least.map_or(u64::MAX, |power| (2_u64 << power) - 1);
    // The first that the kernel side has of times holds all that is less, too.
    let at_least = least.filter(|power| *power > FIRST_OF_TIMES as usize).map_or(0, |power| 1 << power);
    let every = values.known == all;
    match order {
        Order::More | Order::AtLeast if values.known == 0 || !order.holds(values.max, bound) => Met::None,
        Order::More | Order::AtLeast if every && order.holds(at_least, bound) => Met::All,
        Order::More | Order::AtLeast => Met::Some,
        Order::Less | Order::AtMost if values.known == 0 || !order.holds(at_least, bound) => Met::None,
        Order::Less | Order::AtMost if every && order.holds(values.max, bound) => Met::All,
        Order::Less | Order::AtMost if order.holds(below, bound) => Met::Some,
        Order::Less | Order::AtMost => Met::Unsure,
        Order::Equal | Order::Other if values.known == 0 => Met::None,
        Order::Equal if !(at_least..=values.max).contains(&bound) => Met::None,
        Order::Equal if every && at_least == values.max => Met::All,
        Order::Equal if bound == values.max => Met::Some,
        Order::Equal => Met::Unsure,
        Order::Other if every && !(at_least..=values.max).contains(&bound) => Met::All,
        Order::Other if bound != values.max => Met::Some,
        Order::Other if at_least == values.max => Met::None,
        Order::Other => Met::Unsure,
    }
}

/// How many of the attempts have such a value, whether known or not. Without a search or a SYN there is none.
fn expected(counts: &FoldedCounts, phase: Phase) -> u64 {
    match phase {
        Phase::PortSearch | Phase::Handshake => 0,
        Phase::Total => counts.attempts(),
        Phase::PortsVisited => counts.searches(),
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
