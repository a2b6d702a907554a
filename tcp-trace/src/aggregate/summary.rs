// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a screen or a summary line says, about an interval or about the whole run.

use jiff::Timestamp;

use super::connect::ConnectSnapshot;
use super::findings::Finding;
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
    /// What the tracing itself cost.
    pub overhead: Overhead,
    /// Causes found.
    pub findings: Vec<Finding>,
    /// What the reader should know about these numbers: what this tier can't see, what was refused.
    pub notes: Vec<String>,
}

/// Processor time that the tracing took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// In the programs; known only while the kernel keeps BPF statistics.
    pub programs_ns: Option<u64>,
    /// In this process.
    pub agent_ns: Option<u64>,
    /// Bursts of port probes.
    pub port_probe_bursts: Option<u64>,
}

impl Overhead {
    /// Both together as a share of one CPU; `None` unless both are known.
    pub fn share(&self, seconds: f64) -> Option<f64> {
        let spent = self.programs_ns?.saturating_add(self.agent_ns?);
        share_of(spent, seconds)
    }

    /// This process as a share of one CPU.
    pub fn agent_share(&self, seconds: f64) -> Option<f64> {
        share_of(self.agent_ns?, seconds)
    }
}

fn share_of(spent_ns: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| spent_ns as f64 / 1e9 / seconds)
}
