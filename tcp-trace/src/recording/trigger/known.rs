// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values that a trigger needs and this run cannot know.

use super::{Phase, Trigger};
use crate::{
    probes::{table::Signal, tier::Tier},
    session_info::SessionInfo,
};

impl Trigger {
    /// Name of a value that this run can never know, as typed; also if another part of an `or` could fire, because the
    /// user relies on both.
    pub fn never_known(&self, known: &SessionInfo) -> Option<&'static str> {
        let tier = known.signals.get(&Signal::Connect).map(|active| active.tier);
        if tier == Some(Tier::Tracepoint) { self.of_the_search() } else { None }
    }

    fn of_the_search(&self) -> Option<&'static str> {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().find_map(Self::of_the_search),
            Self::Quantile(_, Phase::PortSearch, ..) | Self::Takes(Phase::PortSearch, ..) => Some("port_search"),
            Self::Quantile(_, Phase::PortsVisited, ..) | Self::Takes(Phase::PortsVisited, ..) => Some("ports_visited"),
            Self::Quantile(..)
            | Self::Takes(..)
            | Self::Count(..)
            | Self::Share(..)
            | Self::HeadRoom(..)
            | Self::Ends(..)
            | Self::Comm(..)
            | Self::Pid(..)
            | Self::Port(..)
            | Self::Finds(..) => None,
        }
    }
}
