// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a screen or a summary line shows, for an interval or for the whole run.

use jiff::Timestamp;

use crate::{
    aggregate::{ledger::Ledger, observed::Observed},
    event::Lost,
    findings::Finding,
    mode::Mode,
    probes::tier::Tier,
};

/// A summary of an interval or of the run.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The question of the command.
    pub mode: Mode,
    /// Time of the summary.
    pub time: Timestamp,
    /// Whether this is the summary of the whole run, written once at its end.
    pub is_final: bool,
    /// The snapshots of all signals.
    pub observed: Observed,
    /// Losses in this time.
    pub lost: Lost,
    /// Whether programs are attached; otherwise there is no ledger.
    pub traced: bool,
    /// Tier of the command's main signal; `None`: no program, the report shows what can be read.
    pub tier: Option<Tier>,
    /// Release of the kernel.
    pub kernel: String,
    /// What was made, delivered and lost, and what tracing cost.
    pub ledger: Ledger,
    /// Causes, worst first.
    pub findings: Vec<Finding>,
    /// Notes on these numbers: what this tier cannot see, what was refused.
    pub notes: Vec<String>,
}
