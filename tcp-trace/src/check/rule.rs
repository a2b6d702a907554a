// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules: conditions of the flight recorder's language that must hold for a run, and files of them.

use super::each::EachConnect;
use crate::{
    mode::Mode,
    outside::{Text, one_line},
    recording::trigger::{Trigger, Wrong},
};

/// Begins a rule that only warns.
const WARN: &str = "warn:";
/// Upper limit of rules.
pub const MOST_RULES: usize = 1000;

/// A condition that must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    text: Text,
    level: Level,
    condition: Condition,
}

/// What a rule is for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A rule that does not hold fails the check.
    Fail,
    /// A rule that does not hold is only reported.
    Warn,
}

/// A condition by what it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// It must hold for each connect.
    Each(Trigger),
    /// It must hold for the run.
    Run(Trigger),
    /// All of these hold.
    All(Vec<Condition>),
    /// Any of these holds.
    Any(Vec<Condition>),
}

impl Rule {
    /// Parses a rule: `p99(port_search) < 1ms`, `warn: headroom > 50 %`.
    ///
    /// # Errors
    /// With the place that cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let (level, rest) = match text.trim_start().strip_prefix(WARN) {
            Some(rest) => (Level::Warn, rest),
            None => (Level::Fail, text),
        };
        let offset = text.len() - rest.len();
        let trigger = Trigger::parse(rest)
            .map_err(|Wrong { at, what }| Wrong { at: at.start + offset..at.end + offset, what })?;
        let condition = Condition::of(&trigger).map_err(|what| Wrong { at: offset..text.len(), what })?;
        Ok(Self { text: rest.trim().into(), level, condition })
    }

    /// Parses the lines of a file named `name`: a rule each, blank, or a comment that begins with `#`.
    ///
    /// # Errors
    /// With the first line that is no rule.
    pub fn parse_lines(text: &str, name: &str) -> Result<Vec<Self>, String> {
        let lines =
            (1..).zip(text.lines()).filter(|(_, line)| !matches!(line.trim_start().chars().next(), None | Some('#')));
        let rules = lines.map(|(number, line)| {
            // The marked place is in the line as it is shown.
            let line = one_line(line);
            Self::parse(&line).map_err(|wrong| format!("{name}:{number}: {}", wrong.point(&line)))
        });
        rules.collect()
    }

    /// The rule as it was written, without its level.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// What it is for the exit code.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its condition.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// What these rules need to be traced and read.
    pub fn mode(rules: &[Self]) -> Mode {
        let needs = |is_so: fn(&Trigger) -> bool| rules.iter().any(|rule| rule.condition.any(&is_so));
        if needs(|condition| matches!(condition, Trigger::Finds(..))) {
            Mode::Doctor
        } else if needs(|condition| matches!(condition, Trigger::HeadRoom(..))) {
            Mode::Ports
        } else {
            Mode::ConnectLatency
        }
    }

    /// Whether totals cannot show if these rules hold, so that an event of each connect is needed.
    pub fn need_events(rules: &[Self]) -> bool {
        rules.iter().any(|rule| rule.condition.each().iter().any(EachConnect::needs_events))
    }
}

impl Condition {
    fn of(trigger: &Trigger) -> Result<Self, String> {
        let parts = |parts: &[Trigger]| parts.iter().map(Self::of).collect::<Result<Vec<_>, _>>();
        match trigger {
            // Each connect meets all of them if each connect meets each of them.
            Trigger::All(all) => Ok(Self::All(parts(all)?)),
            _ if is_about(trigger, true) => Ok(Self::Each(trigger.clone())),
            Trigger::Any(any) if is_about(trigger, false) => Ok(Self::Any(parts(any)?)),
            Trigger::Any(_) => {
                Err("`or` combines conditions of each connect, or conditions of the whole run, but not both".into())
            }
            of_the_run => Ok(Self::Run(of_the_run.clone())),
        }
    }

    /// The state of each condition about every connect, in reading order.
    pub(super) fn each(&self) -> Vec<EachConnect> {
        match self {
            Self::Each(condition) => vec![EachConnect::new(condition)],
            Self::Run(_) => Vec::new(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::each).collect(),
        }
    }

    fn any(&self, is_so: &impl Fn(&Trigger) -> bool) -> bool {
        match self {
            Self::Each(condition) | Self::Run(condition) => is_so(condition),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any(is_so)),
        }
    }
}

/// Whether all of a condition is about each connect (`each`), or all of it about the run.
fn is_about(condition: &Trigger, each: bool) -> bool {
    match condition {
        Trigger::Any(parts) | Trigger::All(parts) => parts.iter().all(|part| is_about(part, each)),
        Trigger::Takes(..) | Trigger::Ends(..) | Trigger::Comm(..) | Trigger::Pid(..) | Trigger::Port(..) => each,
        Trigger::Quantile(..)
        | Trigger::Count(..)
        | Trigger::Share(..)
        | Trigger::HeadRoom(..)
        | Trigger::Finds(..) => !each,
    }
}
