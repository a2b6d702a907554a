// SPDX-License-Identifier: MIT OR Apache-2.0
//! The answer to what-if, before it is written.

use jiff::Timestamp;

use super::{
    change::Change,
    predict::{PredictInput, Prediction},
    suggestions,
};
use crate::{
    aggregate::{
        ports::{Route, held::Held},
        searches::Searched,
    },
    findings::netns_shell::NetnsShell,
    kernel::rules::Sysctls,
    outside::Text,
    probes::tier::Tier,
};

/// All of it.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Release of the kernel.
    pub kernel: String,
    /// How connects were seen; `None`: they were not.
    pub tier: Option<Tier>,
    /// When.
    pub time: Timestamp,
    /// How long it was looked at.
    pub seconds: f64,
    /// Fewest free ports first.
    pub cases: Vec<Case>,
    /// What the reader should know about the numbers.
    pub notes: Vec<String>,
}

/// One source and destination.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which.
    pub route: Route,
    /// What people call its network namespace.
    pub netns_name: Option<Text>,
    /// A file by which nsenter(1) gets there; `None`: the agent is there itself.
    pub entrance: Option<Text>,
    /// Its settings.
    pub sysctls: Sysctls,
    /// What takes its ports now.
    pub held: Held,
    /// What was measured of its searches.
    pub searched: Searched,
    /// What the predictions rest on.
    pub known: PredictInput,
    /// The first one changes nothing.
    pub scenarios: Vec<Scenario>,
}

/// Some changes, and what would come of them.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// All made at once.
    pub changes: Vec<Change>,
    /// What would be.
    pub prediction: Prediction,
}

impl Case {
    /// What comes without any change.
    pub fn today(&self) -> Option<&Prediction> {
        self.scenarios.first().map(|scenario| &scenario.prediction)
    }

    /// The change to begin with, and what would come of it.
    pub fn advised(&self) -> Option<(&Change, &Prediction)> {
        let single = self.scenarios.iter().filter_map(|scenario| match &scenario.changes[..] {
            [change] => Some((change, &scenario.prediction)),
            _ => None,
        });
        suggestions::advised(self.today()?, single)
    }

    /// The line that makes a change, safe to paste; `None`: no shell can.
    pub fn command(&self, change: &Change) -> Option<String> {
        let place = NetnsShell::behind(self.route.netns, self.entrance.as_ref(), self.sysctls.clone());
        Some(place.command(&change.command()?))
    }
}

impl Scenario {
    /// As the command line has it; nothing where nothing is changed.
    pub fn words(&self) -> String {
        self.changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" ")
    }
}
