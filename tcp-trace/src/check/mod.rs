// SPDX-License-Identifier: MIT OR Apache-2.0
//! `check`: rules about a run, each with a verdict and the evidence for it. A rule passes only if nothing that is unknown
//! could break it.

mod complete;
mod each;
mod evidence;
mod found;
pub mod junit;
mod presets;
mod room;
pub mod rows;
pub mod rule;
#[cfg(test)]
mod tests;
pub mod text;
mod whole;

pub use self::presets::Preset;
use self::{
    complete::Run,
    each::EachConnect,
    evidence::Evidenced,
    found::Found,
    room::Rooms,
    rule::{Condition, Level, Rule},
};
use crate::{
    exit::{FAIL_ON, Failure, INDETERMINATE},
    mode::Mode,
    outside::Text,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
    summarize::{Summarized, Summarizer, summary::Summary},
};

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It certainly does not.
    Fail,
    /// It may or may not: something that it depends on is unknown.
    Indeterminate,
    /// It certainly does not, and is only a warning.
    Warn,
    /// It certainly does.
    Pass,
}

impl Verdict {
    /// Every verdict, worst first.
    pub const ALL: [Self; 4] = [Self::Fail, Self::Indeterminate, Self::Warn, Self::Pass];

    /// The verdict in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "FAIL",
            Self::Indeterminate => "INDETERMINATE",
            Self::Warn => "WARN",
            Self::Pass => "PASS",
        }
    }
}

/// A rule with its verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The rule as it was written.
    pub rule: Text,
    /// What it is for the exit code.
    pub level: Level,
    /// Whether it holds.
    pub verdict: Verdict,
    /// What was measured, for each condition of the rule.
    pub evidence: Vec<Evidenced>,
}

/// All rules with their verdicts.
#[derive(Debug)]
pub struct Verdicts {
    /// In the order in which the rules were given.
    pub checked: Vec<Checked>,
    /// The summary of the run.
    pub summary: Box<Summary>,
    /// Whether the run is a recording that ends before the recorded run did.
    pub is_truncated: bool,
}

impl Verdicts {
    /// Number of rules with this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.checked.iter().filter(|checked| checked.verdict == verdict).count() as u64
    }

    /// The exit code: that of the worst verdict. Warnings never change it.
    pub fn exit_code(&self) -> u8 {
        let decisive = self.checked.iter().filter(|checked| checked.level == Level::Fail);
        match decisive.map(|checked| checked.verdict).min() {
            Some(Verdict::Fail) => FAIL_ON,
            Some(Verdict::Indeterminate) => INDETERMINATE,
            Some(Verdict::Warn | Verdict::Pass) | None => 0,
        }
    }
}

/// A rule and what it has seen so far.
#[derive(Debug)]
struct Checking {
    rule: Rule,
    /// One for each condition about every connect, in reading order.
    each: Vec<EachConnect>,
}

/// Consumes a run and checks rules at its end.
#[derive(Debug)]
pub struct Checker {
    rules: Vec<Checking>,
    summarizer: Summarizer,
    rooms: Rooms,
    found: Found,
    is_truncated: bool,
    /// The summary of the run, once it has ended.
    summary: Option<Box<Summary>>,
}

impl Checker {
    /// Starts without messages. `is_narrowed`: sockets of one network namespace are read, and others do not matter.
    pub fn new(rules: &[Rule], mode: Mode, known: &SessionInfo, is_narrowed: bool) -> Self {
        let checking = |rule: &Rule| Checking { rule: rule.clone(), each: rule.condition().each() };
        Self {
            rules: rules.iter().map(checking).collect(),
            summarizer: Summarizer::new(mode, known),
            rooms: Rooms::new(is_narrowed),
            found: Found::default(),
            is_truncated: false,
            summary: None,
        }
    }

    /// The verdicts; `None` before the run has ended.
    pub fn verdicts(self) -> Option<Verdicts> {
        let summary = self.summary?;
        let run = Run {
            summary: &summary,
            session: self.summarizer.session_info(),
            rooms: &self.rooms,
            found: &self.found,
            is_truncated: self.is_truncated,
        };
        let checked = self.rules.iter().map(|checking| checking.check(&run)).collect();
        Some(Verdicts { checked, is_truncated: self.is_truncated, summary })
    }

    fn learn(&mut self, summary: &Summary) {
        self.rooms.learn(&summary.observed.ports);
        self.found.learn(&summary.findings);
    }
}

impl Consumer for Checker {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        let has_rows = self.summarizer.session_info().has_rows;
        for each in self.rules.iter_mut().flat_map(|checking| &mut checking.each) {
            each.take(message, has_rows);
        }
        if let Message::Inventory(inventory) = message {
            self.rooms.read(inventory);
        }
        match self.summarizer.take(message) {
            Summarized::Interval(summary) => self.learn(&summary),
            Summarized::Whole(summary) => {
                self.learn(&summary);
                self.summary = Some(summary);
            }
            Summarized::Lost(_) | Summarized::Nothing => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }

    fn truncated(&mut self) {
        self.is_truncated = true;
    }
}

impl Checking {
    fn check(&self, run: &Run<'_>) -> Checked {
        let mut evidence = Vec::new();
        let mut each = self.each.iter();
        let holds = holds(self.rule.condition(), &mut each, run, &mut evidence);
        let verdict = match (holds, self.rule.level()) {
            (Some(true), _) => Verdict::Pass,
            (Some(false), Level::Fail) => Verdict::Fail,
            (Some(false), Level::Warn) => Verdict::Warn,
            (None, _) => Verdict::Indeterminate,
        };
        Checked { rule: self.rule.text().clone(), level: self.rule.level(), verdict, evidence }
    }
}

/// Whether a condition holds; `None`: unknown. Every condition is evaluated, so that all evidence is shown.
fn holds<'a>(
    condition: &Condition,
    each: &mut impl Iterator<Item = &'a EachConnect>,
    run: &Run<'_>,
    evidence: &mut Vec<Evidenced>,
) -> Option<bool> {
    let (parts, decisive) = match condition {
        Condition::Any(parts) => (parts, true),
        Condition::All(parts) => (parts, false),
        Condition::Each(_) => {
            evidence.push(each.next()?.evidence(run));
            return evidence.last()?.holds;
        }
        Condition::Run(condition) => {
            evidence.push(run.evidence(condition));
            return evidence.last()?.holds;
        }
    };
    let parts: Vec<_> = parts.iter().map(|part| holds(part, each, run, evidence)).collect();
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    if parts.contains(&None) { None } else { Some(!decisive) }
}
