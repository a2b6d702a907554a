// SPDX-License-Identifier: MIT OR Apache-2.0
//! The forecast of what-if, before it is written.

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

/// A forecast for all sources and destinations.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Release of the kernel.
    pub kernel: String,
    /// Tier of the connect signal; `None`: not traced.
    pub tier: Option<Tier>,
    /// Time of the forecast.
    pub time: Timestamp,
    /// Length of the run in seconds.
    pub seconds: f64,
    /// Sources and destinations, fewest free ports first.
    pub cases: Vec<Case>,
    /// Notes on the numbers.
    pub notes: Vec<String>,
}

/// One source and destination.
#[derive(Clone, Debug)]
pub struct Case {
    /// Source and destination.
    pub route: Route,
    /// Name of its network namespace, if it has one.
    pub netns_name: Option<Text>,
    /// A file through which nsenter(1) enters the namespace; `None`: the agent is in it.
    pub entrance: Option<Text>,
    /// Settings of the namespace.
    pub sysctls: Sysctls,
    /// What takes its ports now.
    pub held: Held,
    /// Measurements of its searches.
    pub searched: Searched,
    /// Inputs of the predictions.
    pub known: PredictInput,
    /// Scenarios; the first one changes nothing.
    pub scenarios: Vec<Scenario>,
}

/// A set of changes and its prediction.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Changes, all made together.
    pub changes: Vec<Change>,
    /// The prediction.
    pub prediction: Prediction,
}

impl Case {
    /// The prediction without any change.
    pub fn today(&self) -> Option<&Prediction> {
        self.scenarios.first().map(|scenario| &scenario.prediction)
    }

    /// The advised change and its prediction.
    pub fn advised(&self) -> Option<(&Change, &Prediction)> {
        let single = self.scenarios.iter().filter_map(|scenario| match &scenario.changes[..] {
            [change] => Some((change, &scenario.prediction)),
            _ => None,
        });
        suggestions::advised(self.today()?, single)
    }

    /// The command that makes a change, safe to paste; `None`: no command can.
    pub fn command(&self, change: &Change) -> Option<String> {
        let place = NetnsShell::behind(self.route.netns, self.entrance.as_ref(), self.sysctls.clone());
        Some(place.command(&change.command()?))
    }
}

impl Scenario {
    /// The changes as flags of the command line; empty if there is none.
    pub fn words(&self) -> String {
        self.changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" ")
    }
}
