// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions about connects, intervals and findings: triggers of the flight recorder, and rules of `check`.

mod evaluator;
mod known;
mod negated;
mod parse;
mod rows;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use self::{
    evaluator::TriggerEvaluator,
    rows::{Attempts, Met},
    words::Wrong,
};
use crate::{
    event::{Comm, Outcome},
    findings::Code,
};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Any of these conditions holds.
    Any(Vec<Trigger>),
    /// All of these hold, for the same connect where they are about connects.
    All(Vec<Trigger>),
    /// Condition of an interval: `p99(port_search) > 1ms`.
    Quantile(Rank, Phase, Order, u64),
    /// Condition of an interval: `count(outcome = no_port) > 10`.
    Count(Counted, Order, u64),
    /// Condition of an interval: `share(second_pass) > 1 %`, as a fraction.
    Share(Counted, Order, f64),
    /// Condition of an interval: `headroom < 20 %`, for the destination with the least.
    HeadRoom(Order, Room),
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

/// The attempts that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Attempts that ended like this, or in any other way. Those in progress have not ended.
    Ends(Outcome, bool),
    /// Searches that went through the second parity.
    SecondPass,
}

/// An amount of head-room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// Connects that are left.
    Connects(u64),
    /// A fraction of the ports that are searched first.
    Share(f64),
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
    /// `=`
    Equal,
    /// `!=`
    Other,
}

impl Order {
    /// Whether large values meet it.
    pub fn is_upwards(self) -> bool {
        matches!(self, Self::More | Self::AtLeast)
    }

    /// Whether `value` compares with `bound` like this.
    pub fn holds<T: PartialOrd>(self, value: T, bound: T) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::More => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
            Self::Other => value != bound,
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
