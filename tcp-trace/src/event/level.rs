// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much is reported: the steps in which detail is shed, richest first.

use serde::{Deserialize, Serialize};

/// What is reported of attempts. Ordered: the later, the less. Totals by process and destination are kept at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All that was asked for.
    #[default]
    Full,
    /// Of what happens one by one, exemplars only.
    Exemplars,
    /// Without saying why candidates are refused.
    NoPortProbes,
    /// Totals only.
    NoEvents,
    /// Totals of one attempt in this many, a power of two; the others are only counted.
    OneIn(u16),
}

/// The most attempts of which one is followed.
pub const LEAST: u16 = 1024;

impl Level {
    /// As every output spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Exemplars => "exemplars",
            Self::NoPortProbes => "no_port_probes",
            Self::NoEvents => "no_events",
            Self::OneIn(_) => "sampled",
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Full => "full".into(),
            Self::Exemplars => "totals of all connects, example events".into(),
            Self::NoPortProbes => "totals of all connects, example events, no port probes".into(),
            Self::NoEvents => "totals of all connects, no events".into(),
            Self::OneIn(n) => format!("totals of one connect in {n}"),
        }
    }

    /// Number of attempts of which one is followed.
    pub fn follows_one_in(self) -> u16 {
        if let Self::OneIn(n) = self { n } else { 1 }
    }

    /// Whether events are sent one by one, where the output needs that.
    pub fn sends_each(self) -> bool {
        self < Self::Exemplars
    }

    /// Whether some attempts are sent as events.
    pub fn sends_exemplars(self) -> bool {
        self < Self::NoEvents
    }

    /// Candidates are looked at.
    pub fn probes_ports(self) -> bool {
        self < Self::NoPortProbes
    }

    /// One step less; `None`: there is nothing left to shed.
    pub fn step_down(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Exemplars),
            Self::Exemplars => Some(Self::NoPortProbes),
            Self::NoPortProbes => Some(Self::NoEvents),
            Self::NoEvents => Some(Self::OneIn(2)),
            Self::OneIn(n) => (n < LEAST).then(|| Self::OneIn(n * 2)),
        }
    }

    /// One step more.
    pub fn step_up(self) -> Option<Self> {
        match self {
            Self::Full => None,
            Self::Exemplars => Some(Self::Full),
            Self::NoPortProbes => Some(Self::Exemplars),
            Self::NoEvents => Some(Self::NoPortProbes),
            Self::OneIn(2) => Some(Self::NoEvents),
            Self::OneIn(n) => Some(Self::OneIn(n / 2)),
        }
    }

    /// How many steps below full.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Full => 0,
            Self::Exemplars => 1,
            Self::NoPortProbes => 2,
            Self::NoEvents => 3,
            Self::OneIn(n) => 3 + n.ilog2() as usize,
        }
    }
}

/// How many levels there are.
pub(crate) const LEVELS: usize = 4 + LEAST.ilog2() as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_with_two_ends() {
        let down: Vec<Level> = std::iter::successors(Some(Level::Full), |level| level.step_down()).collect();
        let mut up: Vec<Level> = std::iter::successors(Some(Level::OneIn(LEAST)), |level| level.step_up()).collect();
        up.reverse();
        assert_eq!(down, up);
        assert!(down.is_sorted());
        assert_eq!(down.iter().map(|level| level.index()).collect::<Vec<_>>(), (0..LEVELS).collect::<Vec<_>>());
    }
}
