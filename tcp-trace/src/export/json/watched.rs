// SPDX-License-Identifier: MIT OR Apache-2.0
//! The summary's line of the commands that answer in rows: what stands beside the rows.

use serde::Serialize;

use super::{LostCounts, ledger::LedgerObject, rounded};
use crate::{model::JSON_VERSION, summarize::summary::Summary};

#[derive(Serialize)]
pub(super) struct WatchedLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    #[serde(rename = "final")]
    is_final: bool,
    command: &'static str,
    seconds: f64,
    findings: usize,
    tier: Option<String>,
    kernel: &'a str,
    lost: Option<LostCounts>,
    overhead: Option<f64>,
    agent_cpu_ns: u64,
    ledger: LedgerObject,
    notes: &'a [String],
}

impl<'a> WatchedLine<'a> {
    pub(super) fn new(summary: &'a Summary) -> Self {
        let (cost, seconds) = (&summary.ledger.cost, summary.observed.seconds);
        Self {
            v: JSON_VERSION,
            kind: "summary",
            time: summary.time.to_string(),
            is_final: summary.is_final,
            command: summary.mode.name(),
            seconds: rounded(seconds, 3),
            findings: summary.findings.len(),
            tier: summary.tier.map(|tier| tier.to_string()),
            kernel: &summary.kernel,
            lost: summary.ledger.counts.map(|_| summary.lost.into()),
            overhead: summary.ledger.share(seconds).map(|share| rounded(share, 6)),
            agent_cpu_ns: cost.agent_ns,
            ledger: LedgerObject::new(&summary.ledger, seconds),
            notes: &summary.notes,
        }
    }
}
