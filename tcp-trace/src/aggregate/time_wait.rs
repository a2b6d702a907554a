// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT per network namespace: levels, and rates as differences of totals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tcp_trace_common::time_wait::{RawTimeWaitTotals, event};

use crate::inventory::netstat::NetStat;

/// Totals of one namespace since some beginning. `None`: this source does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWaitTotals {
    /// Minisockets now.
    pub level: Option<u64>,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub max_buckets: Option<u64>,
    /// Made.
    pub entered: Option<u64>,
    /// Of these, still waiting for the peer's FIN.
    pub entered_fin_wait2: Option<u64>,
    /// Left: the timer ran out.
    pub expired: Option<u64>,
    /// Left: taken over by a `connect()`.
    pub reused: Option<u64>,
    /// Left: taken over by an incoming SYN.
    pub by_syn: Option<u64>,
    /// Left: ended by a RST.
    pub reset: Option<u64>,
    /// Left otherwise, or for a reason above that is not known.
    pub other: Option<u64>,
    /// Not made: `tcp_max_tw_buckets` was reached.
    pub overflow: Option<u64>,
}

impl TimeWaitTotals {
    /// As the kernel side keeps them; `in_detail`: it looks at segments, and tells what they do from other ends.
    fn from_kernel(raw: &RawTimeWaitTotals, in_detail: bool) -> Self {
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

    /// From the counters of one namespace. Of the MIBs only those are taken that mean the same on every kernel:
    /// TimeWaited counts expiries on 5.10 and entries from 6.1 on.
    pub fn from_proc(counters: &NetStat) -> Self {
        Self {
            level: counters.sockstat("TCP:", "tw"),
            reused: counters.tcp_ext("TWRecycled"),
            overflow: counters.tcp_ext("TCPTimeWaitOverflow"),
            ..Self::default()
        }
    }

    /// What happened since `before`; level and limit are those of now.
    fn since(&self, before: &Self) -> Self {
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

/// What happened in each namespace, by inode.
pub type TimeWaitSnapshot = BTreeMap<u32, TimeWaitTotals>;

/// Turns totals into differences.
#[derive(Clone, Debug, Default)]
pub struct TimeWaitAggregate {
    start: TimeWaitSnapshot,
    last: TimeWaitSnapshot,
    now: TimeWaitSnapshot,
    in_detail: bool,
}

impl TimeWaitAggregate {
    /// Counting from `start`: empty where the totals begin with the tracing, a first sample where they do not.
    /// `in_detail`: the kernel side looks at segments, and tells what they do from other ends.
    pub fn new(start: TimeWaitSnapshot, in_detail: bool) -> Self {
        Self { last: start.clone(), now: start.clone(), start, in_detail }
    }

    /// Takes the totals that the kernel side keeps.
    pub fn enter(&mut self, netns: u32, raw: &RawTimeWaitTotals) {
        self.observe(netns, TimeWaitTotals::from_kernel(raw, self.in_detail));
    }

    /// Takes the totals of now. A namespace that is gone from them keeps its last ones.
    pub fn observe(&mut self, netns: u32, totals: TimeWaitTotals) {
        self.now.insert(netns, totals);
    }

    /// Ends the interval and answers for it.
    pub fn tick(&mut self) -> TimeWaitSnapshot {
        let interval = difference(&self.now, &self.last);
        self.last.clone_from(&self.now);
        interval
    }

    /// Answers for everything since the start.
    pub fn total(&self) -> TimeWaitSnapshot {
        difference(&self.now, &self.start)
    }
}

fn difference(now: &TimeWaitSnapshot, before: &TimeWaitSnapshot) -> TimeWaitSnapshot {
    let none = TimeWaitTotals::default();
    now.iter().map(|(netns, totals)| (*netns, totals.since(before.get(netns).unwrap_or(&none)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKSTAT: &str = "sockets: used 5\nTCP: inuse 2 orphan 0 tw 41 alloc 3 mem 1\nUDP: inuse 0 mem 0\n";
    const NETSTAT: &str = "TcpExt: SyncookiesSent TW TWRecycled TWKilled TCPTimeWaitOverflow\n\
        TcpExt: 0 900 7 0 12\nIpExt: InNoRoutes\nIpExt: 0\n";

    #[test]
    fn reads_proc() {
        let totals = TimeWaitTotals::from_proc(&NetStat::new(NETSTAT.into(), String::new(), SOCKSTAT.into()));
        assert_eq!((totals.level, totals.reused, totals.overflow), (Some(41), Some(7), Some(12)));
        assert_eq!((totals.entered, totals.expired), (None, None));
        assert_eq!(
            TimeWaitTotals::from_proc(&NetStat::new("TcpExt: TWRecycled".into(), String::new(), "TCP: tw".into())),
            TimeWaitTotals::default()
        );
    }

    #[test]
    fn rates_are_differences() {
        let sample = |reused, level| TimeWaitTotals { reused: Some(reused), level: Some(level), ..Default::default() };
        let mut aggregate = TimeWaitAggregate::new([(1, sample(100, 5))].into(), true);
        aggregate.observe(1, sample(103, 6));
        assert_eq!(aggregate.tick()[&1], sample(3, 6));
        assert_eq!(aggregate.tick()[&1], sample(0, 6));
        aggregate.observe(1, sample(104, 2));
        aggregate.observe(2, sample(9, 1));
        assert_eq!(aggregate.tick()[&2], sample(9, 1));
        assert_eq!(aggregate.total()[&1], sample(4, 2));
    }
}
