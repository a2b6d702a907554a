// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trigger of the flight recorder: a condition about connects, intervals and findings.

mod evaluator;
mod known;
mod parse;
mod rows;
#[cfg(test)]
mod tests;
mod words;

pub use self::{evaluator::TriggerEvaluator, words::Wrong};
use crate::{
    event::{Comm, Outcome},
    findings::Code,
};

/// The condition of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Any of these conditions holds.
    Any(Vec<Trigger>),
    /// All of these hold, for the same connect where they are about connects.
    All(Vec<Trigger>),
    /// Condition of an interval: `p99(port_search) > 1ms`.
    Quantile(Rank, Phase, Order, u64),
    /// Condition of an interval: `count(no_port) > 10`.
    Count(Outcome, Order, u64),
    /// Condition of a connect: `port_search > 10ms`.
    Takes(Phase, Order, u64),
    /// Condition of a connect: `outcome = no_port`, or `!=`.
    Ends(Outcome, bool),
    /// Condition of a connect: `comm = nginx`, or `!=`.
    Comm(Comm, bool),
    /// Condition of a connect: `pid = 4242`, or `!=`.
    Pid(u32, bool),
    /// Condition of a connect: `port = 3306`, or `!=`.
    Port(u16, bool),
    /// Condition of an interval: `finding = parity-cliff`, or `!=`.
    Finds(Code, bool),
}

/// The statistic of an interval that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 99th percentile.
    P99,
    /// Maximum.
    Max,
}

/// The measurement of a connect that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nanoseconds in the port search.
    PortSearch,
    /// Nanoseconds from the SYN to the end of the attempt.
    Handshake,
    /// Nanoseconds from the call to the end of the attempt.
    Total,
    /// Candidates that the search visited.
    PortsVisited,
}

/// The comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Order {
    fn holds(self, value: u64, bound: u64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::More => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

impl Trigger {
    /// Parses a condition: `p99(port_search) > 1ms or outcome = no_port`.
    ///
    /// # Errors
    /// With the place that cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        parse::parse(text)
    }
}
