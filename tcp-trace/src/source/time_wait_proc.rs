// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT of the agent's own network namespace as /proc tells it: the only source where no program can be attached.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::{
    aggregate::time_wait::{TimeWaitSnapshot, TimeWaitTotals},
    inventory::netstat::NetStat,
};

/// As it is now; empty where that cannot be read.
pub fn sample() -> TimeWaitSnapshot {
    let Ok(namespace) = fs::metadata("/proc/self/ns/net") else { return TimeWaitSnapshot::new() };
    let totals = TimeWaitTotals::from_proc(&NetStat::read());
    [(namespace.ino() as u32, totals)].into()
}
