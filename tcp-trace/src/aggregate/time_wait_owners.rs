// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT by the process that closed first, and by peer.

use std::{cmp::Reverse, collections::HashMap};

use foldhash::fast::RandomState;
use tcp_trace_common::{
    peer::RawPeer,
    time_wait::{RawTimeWaitOwner, event},
};

use crate::{
    model::peer::{Peer, Who},
    source::retired::carry,
};

/// Minisockets of one owner and destination, or service, in an interval or the run.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerRow {
    /// The process that closed first, and the peer. Without a process: closed before tracing began.
    pub peer: Peer,
    /// Name of the owner.
    pub who: Who,
    /// Minisockets created during tracing that still exist; `None` if the owner is unknown.
    pub level: Option<u64>,
    /// Minisockets created.
    pub entered: u64,
    /// Minisockets of `entered` that still wait for the peer's FIN.
    pub entered_fin_wait2: u64,
    /// Minisockets of `entered` whose peer sends no timestamps: their ports are never reused.
    pub entered_without_timestamps: u64,
    /// Minisockets whose timer expired.
    pub expired: u64,
    /// Minisockets that a `connect()` reused.
    pub reused: u64,
    /// Minisockets that an incoming SYN reused.
    pub by_syn: u64,
    /// Minisockets that a RST ended.
    pub reset: u64,
    /// Minisockets that ended otherwise.
    pub other: u64,
    /// Minisockets not created, because `tcp_max_tw_buckets` was reached.
    pub overflow: u64,
}

/// Computes the interval and the total by owner.
#[derive(Debug, Default)]
pub struct TimeWaitOwners {
    now: HashMap<RawPeer, RawTimeWaitOwner, RandomState>,
    last: HashMap<RawPeer, RawTimeWaitOwner, RandomState>,
}

impl TimeWaitOwners {
    /// Takes the totals of the kernel side, counted since the start. The list is complete: a missing row was merged into
    /// another one (`merged`).
    pub fn enter(&mut self, totals: &[(RawPeer, RawTimeWaitOwner)], merged: &[(RawPeer, RawPeer)]) {
        carry(&mut self.last, merged);
        self.now.clear();
        self.now.extend(totals.iter().copied());
    }

    /// Ends the interval and returns its rows, busiest first.
    pub fn tick(&mut self) -> Vec<OwnerRow> {
        let rows = self.rows(Some(&self.last));
        self.last.clone_from(&self.now);
        rows
    }

    /// The rows of everything since the start.
    pub fn total(&self) -> Vec<OwnerRow> {
        self.rows(None)
    }

    fn rows(&self, before: Option<&HashMap<RawPeer, RawTimeWaitOwner, RandomState>>) -> Vec<OwnerRow> {
        let row = |(raw, totals): (&RawPeer, &RawTimeWaitOwner)| {
            OwnerRow::since(raw, totals, before.and_then(|before| before.get(raw)))
        };
        let mut rows: Vec<_> = self.now.iter().map(row).filter(OwnerRow::is_something).collect();
        rows.sort_by_key(|row| (Reverse(row.entered + row.overflow), Reverse(row.level), row.peer));
        rows
    }
}

impl OwnerRow {
    fn since(raw: &RawPeer, totals: &RawTimeWaitOwner, before: Option<&RawTimeWaitOwner>) -> Self {
        let all = |event: u8| totals.events[usize::from(event)];
        let diff = |event: u8| all(event).saturating_sub(before.map_or(0, |before| before.events[usize::from(event)]));
        let left = [event::EXPIRED, event::REUSED, event::SYN, event::RESET, event::OTHER].map(all).iter().sum();
        let peer = Peer::from_kernel(raw);
        Self {
            peer,
            who: Who::from_kernel(&totals.comm, totals.cgroup_id),
            level: peer.pid.map(|_| all(event::ENTER).saturating_sub(left)),
            entered: diff(event::ENTER),
            entered_fin_wait2: totals
                .entered_fin_wait2
                .saturating_sub(before.map_or(0, |before| before.entered_fin_wait2)),
            entered_without_timestamps: totals
                .entered_without_timestamps
                .saturating_sub(before.map_or(0, |before| before.entered_without_timestamps)),
            expired: diff(event::EXPIRED),
            reused: diff(event::REUSED),
            by_syn: diff(event::SYN),
            reset: diff(event::RESET),
            other: diff(event::OTHER),
            overflow: diff(event::OVERFLOW),
        }
    }

    /// Minisockets that left TIME_WAIT, for any reason.
    pub fn left(&self) -> u64 {
        self.expired + self.reused + self.by_syn + self.reset + self.other
    }

    fn is_something(&self) -> bool {
        self.level.unwrap_or(0) + self.entered + self.left() + self.overflow > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_of_now_and_counts_of_the_interval() {
        let raw = RawPeer { netns: 1, tgid: 7, port: 3306, family: 2, side: 1, ..RawPeer::default() };
        let totals = |entered, expired| {
            let mut totals = RawTimeWaitOwner::default();
            totals.events[usize::from(event::ENTER)] = entered;
            totals.events[usize::from(event::EXPIRED)] = expired;
            totals
        };
        let mut owners = TimeWaitOwners::default();
        owners.enter(&[(raw, totals(10, 0))], &[]);
        assert_eq!((owners.tick()[0].level, owners.total()[0].entered), (Some(10), 10));
        owners.enter(&[(raw, totals(15, 4))], &[]);
        let interval = owners.tick();
        assert_eq!((interval[0].level, interval[0].entered, interval[0].expired), (Some(11), 5, 4));
        assert_eq!(owners.total()[0].left(), 4);
        owners.enter(&[(raw, totals(15, 15))], &[]);
        owners.tick();
        assert_eq!(owners.tick(), []);
        // Another process ended, and is kept with this one.
        let other = RawPeer { tgid: 8, ..raw };
        owners.enter(&[(raw, totals(15, 15)), (other, totals(5, 5))], &[]);
        assert_eq!(owners.tick().len(), 1);
        owners.enter(&[(raw, totals(20, 20))], &[(other, raw)]);
        assert_eq!(owners.tick(), [], "nothing happened");
        assert_eq!(owners.total().iter().map(|row| row.entered).collect::<Vec<_>>(), [20]);
        let nobodys = RawPeer { tgid: 0, ..raw };
        owners.enter(&[(nobodys, totals(0, 3))], &[]);
        assert_eq!(owners.tick()[0].level, None);
    }
}
