// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a screen or a summary line says, about an interval or about the whole run.

use jiff::Timestamp;

use crate::{
    aggregate::{ledger::Ledger, observed::Observed},
    event::Lost,
    findings::Finding,
    mode::Mode,
    probes::tier::Tier,
};

/// The answer.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was asked.
    pub mode: Mode,
    /// When it was given.
    pub time: Timestamp,
    /// About the whole run, given once at its end.
    pub is_final: bool,
    /// What was seen.
    pub observed: Observed,
    /// Lost in this time.
    pub lost: Lost,
    /// Something is attached; otherwise there are no books.
    pub traced: bool,
    /// At work for the signal that was asked about; `None`: none, the answer rests on what can be read.
    pub tier: Option<Tier>,
    /// Release of the kernel.
    pub kernel: String,
    /// What was made, delivered, lost and spent.
    pub ledger: Ledger,
    /// Causes found.
    pub findings: Vec<Finding>,
    /// What the reader should know about these numbers: what this tier can't see, what was refused.
    pub notes: Vec<String>,
}
