// SPDX-License-Identifier: MIT OR Apache-2.0
//! The accounts within a summary's line.

use serde::Serialize;

use super::rounded;
use crate::{aggregate::ledger::Ledger, model::accounts::Counts};

/// Counts are since the start of the run, so that they balance: made = delivered + undecoded + in_flight + in_kernel +
/// shed + lost_ring. Cost is of the time that the summary is about; shares are of the machine.
#[derive(Serialize)]
pub(super) struct LedgerObject {
    made: Option<u64>,
    delivered: u64,
    undecoded: Option<u64>,
    in_flight: Option<u64>,
    in_kernel: Option<u64>,
    shed: Option<u64>,
    lost_ring: Option<u64>,
    lost_map: Option<u64>,
    lost_outcome: Option<u64>,
    not_followed: Option<u64>,
    pending: Option<u64>,
    missed_runs: Option<u64>,
    missed_returns: Option<u64>,
    missed_kprobes: Option<u64>,
    signals_made: Option<u64>,
    signals_delivered: u64,
    signals_shed: Option<u64>,
    signals_lost_ring: Option<u64>,
    signals_lost_map: Option<u64>,
    detail: &'static str,
    follows_one_in: u16,
    max_overhead: f64,
    cpus: u32,
    agent_share: Option<f64>,
    programs_share: Option<f64>,
    programs_ns_per_connect: Option<u64>,
    programs_window_ns: u64,
    programs_window_ns_in_bursts: u64,
    calibrated_connects: Option<u32>,
    calibrated_ns_per_connect: Option<i64>,
    calibrated_instructions_per_connect: Option<i64>,
    resident_bytes: Option<u64>,
    locked_bytes: Option<u64>,
}

impl LedgerObject {
    pub(super) fn new(ledger: &Ledger, seconds: f64) -> Self {
        let (counts, cost) = (ledger.counts.as_ref(), &ledger.cost);
        let counted = |of: fn(&Counts) -> u64| counts.map(of);
        let share = |share: Option<f64>| share.map(|share| rounded(share, 6));
        Self {
            made: counted(|counts| counts.made),
            delivered: ledger.delivered,
            undecoded: counted(|counts| counts.undecoded),
            in_flight: ledger.in_flight(),
            in_kernel: counted(|counts| counts.summed),
            shed: counted(|counts| counts.shed),
            lost_ring: counted(|counts| counts.ring_full),
            lost_map: counted(|counts| counts.attempts_full),
            lost_outcome: counted(|counts| counts.endings_full),
            not_followed: counted(|counts| counts.not_followed),
            pending: ledger.pending,
            missed_runs: counts.and_then(|counts| counts.runs_missed),
            missed_returns: counted(|counts| counts.returns_missed),
            missed_kprobes: counts.and_then(|counts| counts.kprobes_missed),
            signals_made: counted(|counts| counts.signals_made),
            signals_delivered: ledger.signals_delivered,
            signals_shed: counted(|counts| counts.signals_shed),
            signals_lost_ring: counted(|counts| counts.signals_ring_full),
            signals_lost_map: counted(|counts| counts.signals_map_full),
            detail: ledger.level.name(),
            follows_one_in: ledger.level.follows_one_in(),
            max_overhead: ledger.budget,
            cpus: ledger.cpus,
            agent_share: share(ledger.agent_share(seconds)),
            programs_share: share(ledger.programs_share(seconds)),
            programs_ns_per_connect: cost.programs.ns_per_connect(),
            programs_window_ns: cost.programs.window_ns,
            programs_window_ns_in_bursts: cost.in_bursts.window_ns,
            calibrated_connects: ledger.calibration.map(|calibration| calibration.connects),
            calibrated_ns_per_connect: ledger.calibration.map(|calibration| calibration.ns),
            calibrated_instructions_per_connect: ledger.calibration.and_then(|calibration| calibration.instructions),
            resident_bytes: ledger.resident_bytes,
            locked_bytes: ledger.locked_bytes,
        }
    }
}
