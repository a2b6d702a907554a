// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of maps and globals that both sides must spell alike.

/// Ring buffer of raw events.
pub const EVENTS: &str = "EVENTS";
/// Per-CPU array of the counters in [`counters`](crate::counters).
pub const COUNTERS: &str = "COUNTERS";
/// Hash map: socket address -> attempt under way, as [`RawConnect`](crate::connect::RawConnect).
pub const ATTEMPTS: &str = "ATTEMPTS";
/// Hash map: inode of a network namespace -> [`RawTimeWaitTotals`](crate::time_wait::RawTimeWaitTotals).
pub const TIME_WAIT_TOTALS: &str = "TIME_WAIT_TOTALS";
/// Array of one u64: odd while the port probes are attached.
pub const PROBE_EPOCH: &str = "PROBE_EPOCH";
/// Global of [`Config`](crate::config::Config).
pub const CONFIG: &str = "CONFIG";
/// Global of [`Offsets`](crate::offsets::Offsets).
pub const OFFSETS: &str = "OFFSETS";
