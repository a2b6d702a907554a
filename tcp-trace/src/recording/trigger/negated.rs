// SPDX-License-Identifier: MIT OR Apache-2.0
//! The opposite of a condition, because a rule for each connect is broken by one that meets the opposite.

use super::{Order, Trigger};

impl Trigger {
    /// The condition that holds exactly where this one does not.
    pub fn negated(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::negated).collect();
        match self {
            Self::Any(parts) => Self::All(all(parts)),
            Self::All(parts) => Self::Any(all(parts)),
            Self::Quantile(rank, phase, order, bound) => Self::Quantile(*rank, *phase, order.negated(), *bound),
            Self::Count(counted, order, bound) => Self::Count(*counted, order.negated(), *bound),
            Self::Share(counted, order, bound) => Self::Share(*counted, order.negated(), *bound),
            Self::HeadRoom(order, bound) => Self::HeadRoom(order.negated(), *bound),
            Self::Takes(phase, order, bound) => Self::Takes(*phase, order.negated(), *bound),
            Self::Ends(outcome, same) => Self::Ends(*outcome, !same),
            Self::Comm(comm, same) => Self::Comm(*comm, !same),
            Self::Pid(pid, same) => Self::Pid(*pid, !same),
            Self::Port(port, same) => Self::Port(*port, !same),
            Self::Finds(code, same) => Self::Finds(*code, !same),
        }
    }
}

impl Order {
    /// The comparison that holds exactly where this one does not.
    pub fn negated(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
            Self::Equal => Self::Other,
            Self::Other => Self::Equal,
        }
    }
}
