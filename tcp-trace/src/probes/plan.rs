// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plan: for each signal the tiers worth trying on this kernel, each with its reason.

use super::{
    table::{Program, Signal},
    tier::Tier,
};

/// What is to be tried, signal by signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the table.
    pub signals: Vec<SignalPlan>,
}

/// The tiers of one signal, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalPlan {
    /// The signal.
    pub signal: Signal,
    /// Best first; those that the facts rule out are listed with their reason.
    pub choices: Vec<Choice>,
}

/// One tier of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The tier.
    pub tier: Tier,
    /// Why it cannot be, as far as the facts tell; `None`: worth trying.
    pub ruled_out: Option<String>,
    /// What to attach, in order.
    pub programs: Vec<&'static Program>,
    /// What this tier cannot tell on this kernel, in words.
    pub loses: Vec<String>,
}

impl Plan {
    /// The choices of a signal; none if it is not wanted.
    pub fn choices(&self, signal: Signal) -> &[Choice] {
        self.signals.iter().find(|planned| planned.signal == signal).map_or(&[], |planned| &planned.choices)
    }
}
