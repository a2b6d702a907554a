// SPDX-License-Identifier: MIT OR Apache-2.0
//! When a flight recorder writes down what came before: a condition about connects, intervals and findings.

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

/// What has to be so.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// One of these.
    Any(Vec<Trigger>),
    /// All of these, of the same connect where they are about connects.
    All(Vec<Trigger>),
    /// Of an interval: `p99(port_search) > 1ms`.
    Quantile(Rank, Phase, Order, u64),
    /// Of an interval: `count(no_port) > 10`.
    Count(Outcome, Order, u64),
    /// Of a connect: `port_search > 10ms`.
    Takes(Phase, Order, u64),
    /// Of a connect: `outcome = no_port`; or that it is not.
    Ends(Outcome, bool),
    /// Of a connect: `comm = nginx`.
    Comm(Comm, bool),
    /// Of a connect: `pid = 4242`.
    Pid(u32, bool),
    /// Of a connect: `port = 3306`.
    Port(u16, bool),
    /// Of an interval: `finding = parity-cliff`.
    Finds(Code, bool),
}

/// What is compared of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Half are below.
    P50,
    /// Nine in ten.
    P90,
    /// 99 in a hundred.
    P99,
    /// All.
    Max,
}

/// What is measured of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nanoseconds in the port search.
    PortSearch,
    /// Nanoseconds from SYN to the end.
    Handshake,
    /// Nanoseconds from the call to the end.
    Total,
    /// Candidates that the search looked at.
    PortsVisited,
}

/// How two numbers are compared.
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
    /// As typed: `p99(port_search) > 1ms or outcome = no_port`.
    ///
    /// # Errors
    /// With the place that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        parse::parse(text)
    }
}
