// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tcp-trace can see on a machine: facts about it, and for each tier of each signal whether it works there, and
//! why not.

mod facts;
mod verdicts;

use serde::{Deserialize, Serialize};

pub use self::{facts::Fact, verdicts::Verdict};
use crate::{
    exit::Failure,
    kernel::Facts,
    model::JSON_VERSION,
    probes::{attach::Trial, plan::Plan},
};

/// One machine, as it was before the first event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Facts in display order.
    pub facts: Vec<Fact>,
    /// Verdicts, best tier of each signal first.
    pub verdicts: Vec<Verdict>,
    /// Whether the process has the privileges to trace.
    pub may_trace: bool,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    r#type: &'static str,
    #[serde(flatten)]
    row: &'a T,
}

impl Machine {
    /// Builds the description; `trials`: what was tried, or why nothing was although the plan has something to try.
    pub fn of(facts: &Facts, plan: &Plan, trials: Result<&[Trial], &str>) -> Self {
        let verdicts = Verdict::all(plan, trials);
        Self { facts: facts::rows(facts), verdicts, may_trace: plan.may_trace }
    }

    /// Whether any program can be attached.
    pub fn traces(&self) -> bool {
        self.verdicts.iter().any(Verdict::works)
    }

    /// Text for people.
    pub fn text(&self) -> String {
        format!("\n{}\n{}", facts::text(&self.facts), verdicts::text(&self.verdicts, self.may_trace))
    }

    /// JSON for programs, one object a line.
    ///
    /// # Errors
    /// None are known.
    pub fn json(&self) -> serde_json::Result<String> {
        let facts = self.facts.iter().map(|row| serde_json::to_string(&Line { v: JSON_VERSION, r#type: "fact", row }));
        let verdicts =
            self.verdicts.iter().map(|row| serde_json::to_string(&Line { v: JSON_VERSION, r#type: "plan", row }));
        let lines: Vec<String> = facts.chain(verdicts).collect::<Result<_, _>>()?;
        Ok(lines.join("\n") + "\n")
    }

    /// Checks whether connects can be traced on the machine, at least by root.
    ///
    /// # Errors
    /// When they cannot, with what was tried.
    pub fn ensure_traceable(&self) -> Result<(), Failure> {
        verdicts::ensure_traceable(&self.verdicts, self.may_trace)
    }
}
