// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT of the agent's own network namespace from /proc: the only source where no program can be attached.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::{
    inventory::netstat::NetStat,
    model::time_wait::{TimeWaitSnapshot, TimeWaitTotals},
};

/// The present totals; empty if they cannot be read.
pub fn sample() -> TimeWaitSnapshot {
    let Ok(namespace) = fs::metadata("/proc/self/ns/net") else { return TimeWaitSnapshot::new() };
    [(namespace.ino() as u32, totals(&NetStat::read()))].into()
}

/// Totals from the counters of one namespace. Only MIBs with the same meaning on every kernel are used: TimeWaited
/// counts expiries on 5.10 and entries from 6.1 on.
fn totals(counters: &NetStat) -> TimeWaitTotals {
    TimeWaitTotals {
        level: counters.sockstat("TCP:", "tw"),
        reused: counters.tcp_ext("TWRecycled"),
        overflow: counters.tcp_ext("TCPTimeWaitOverflow"),
        ..TimeWaitTotals::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKSTAT: &str = "sockets: used 5\nTCP: inuse 2 orphan 0 tw 41 alloc 3 mem 1\nUDP: inuse 0 mem 0\n";
    const NETSTAT: &str = "TcpExt: SyncookiesSent TW TWRecycled TWKilled TCPTimeWaitOverflow\n\
        TcpExt: 0 900 7 0 12\nIpExt: InNoRoutes\nIpExt: 0\n";

    #[test]
    fn reads_proc() {
        let totals = super::totals(&NetStat::new(NETSTAT.into(), String::new(), SOCKSTAT.into()));
        assert_eq!((totals.level, totals.reused, totals.overflow), (Some(41), Some(7), Some(12)));
        assert_eq!((totals.entered, totals.expired), (None, None));
        assert_eq!(
            super::totals(&NetStat::new("TcpExt: TWRecycled".into(), String::new(), "TCP: tw".into())),
            TimeWaitTotals::default()
        );
    }
}
