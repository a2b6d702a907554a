// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT totals of a network namespace, as they travel between stages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tcp_trace_common::time_wait::{RawTimeWaitTotals, event};

/// Totals of one namespace since some start. `None`: this source does not have the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWaitTotals {
    /// Present number of minisockets.
    pub level: Option<u64>,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub max_buckets: Option<u64>,
    /// Minisockets created.
    pub entered: Option<u64>,
    /// Minisockets of `entered` that still wait for the peer's FIN.
    pub entered_fin_wait2: Option<u64>,
    /// Minisockets whose timer expired.
    pub expired: Option<u64>,
    /// Minisockets that a `connect()` reused.
    pub reused: Option<u64>,
    /// Minisockets that an incoming SYN reused.
    pub by_syn: Option<u64>,
    /// Minisockets that a RST ended.
    pub reset: Option<u64>,
    /// Minisockets that ended otherwise, or for one of the reasons above that is unknown.
    pub other: Option<u64>,
    /// Minisockets not created, because `tcp_max_tw_buckets` was reached.
    pub overflow: Option<u64>,
}

impl TimeWaitTotals {
    /// Totals from the kernel side's; `in_detail`: it traces segments, and distinguishes their effect from other ends.
    pub fn from_kernel(raw: &RawTimeWaitTotals, in_detail: bool) -> Self {
        let count = |event: u8| Some(raw.events[usize::from(event)]);
        let by_segment = |event| count(event).filter(|_| in_detail);
        Self {
            level: (raw.level != u32::MAX).then_some(raw.level.into()),
            max_buckets: (raw.max_buckets != 0).then_some(raw.max_buckets.into()),
            entered: count(event::ENTER),
            entered_fin_wait2: Some(raw.entered_fin_wait2),
            expired: count(event::EXPIRED),
            reused: count(event::REUSED),
            by_syn: by_segment(event::SYN),
            reset: by_segment(event::RESET),
            other: count(event::OTHER),
            overflow: count(event::OVERFLOW),
        }
    }

    /// Adds the counts of another namespace; level and limit stay.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.entered, other.entered),
            (&mut self.entered_fin_wait2, other.entered_fin_wait2),
            (&mut self.expired, other.expired),
            (&mut self.reused, other.reused),
            (&mut self.by_syn, other.by_syn),
            (&mut self.reset, other.reset),
            (&mut self.other, other.other),
            (&mut self.overflow, other.overflow),
        ];
        for (sum, more) in sums {
            if let Some(more) = more {
                *sum.get_or_insert(0) += more;
            }
        }
    }

    /// The difference since `before`; level and limit are the present ones.
    pub fn since(&self, before: &Self) -> Self {
        let change = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before.unwrap_or(0)));
        Self {
            level: self.level,
            max_buckets: self.max_buckets,
            entered: change(self.entered, before.entered),
            entered_fin_wait2: change(self.entered_fin_wait2, before.entered_fin_wait2),
            expired: change(self.expired, before.expired),
            reused: change(self.reused, before.reused),
            by_syn: change(self.by_syn, before.by_syn),
            reset: change(self.reset, before.reset),
            other: change(self.other, before.other),
            overflow: change(self.overflow, before.overflow),
        }
    }
}

/// TIME_WAIT totals by inode number of the namespace.
pub type TimeWaitSnapshot = BTreeMap<u32, TimeWaitTotals>;
