// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a screen or a summary line says, about an interval or about the whole run.

use jiff::Timestamp;

use super::connect::ConnectSnapshot;
use super::findings::Finding;
use super::ledger::Ledger;
use super::time_wait::TimeWaitSnapshot;
use crate::event::Lost;
use crate::probes::tier::Tier;

/// The answer.
#[derive(Clone, Debug)]
pub struct Summary {
    /// When it was given.
    pub time: Timestamp,
    /// How long the interval, or the run, was.
    pub seconds: f64,
    /// About the whole run, given once at its end.
    pub is_final: bool,
    /// The connect signal.
    pub connect: ConnectSnapshot,
    /// TIME_WAIT, by namespace.
    pub time_wait: TimeWaitSnapshot,
    /// Lost in this time.
    pub lost: Lost,
    /// At work for the connect signal.
    pub tier: Tier,
    /// Release of the kernel.
    pub kernel: String,
    /// What was made, delivered, lost and spent.
    pub ledger: Ledger,
    /// Causes found.
    pub findings: Vec<Finding>,
    /// What the reader should know about these numbers: what this tier can't see, what was refused.
    pub notes: Vec<String>,
}
