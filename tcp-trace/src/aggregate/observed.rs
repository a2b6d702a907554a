// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that was looked at in an interval or a run, one snapshot a signal; what was not looked at is empty.

use super::connect::ConnectSnapshot;
use super::limits::LimitsSnapshot;
use super::time_wait::TimeWaitSnapshot;

/// Snapshots, side by side: a finding may rest on several.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// How long the interval, or the run, was.
    pub seconds: f64,
    /// The connect signal.
    pub connect: ConnectSnapshot,
    /// TIME_WAIT, by namespace.
    pub time_wait: TimeWaitSnapshot,
    /// Limits around connections.
    pub limits: LimitsSnapshot,
}
