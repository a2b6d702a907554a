// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sample attempts for tests.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    decode::sample::unseen,
    event::{Caller, Connect, Outcome, SourcePort},
    model::folded::FoldedRow,
};

/// Attempts as rows that the kernel side would have added up. Each process starts a moment after the previous one.
pub(crate) fn rows<'a>(connects: impl IntoIterator<Item = &'a Connect>) -> Vec<FoldedRow> {
    let mut rows: Vec<FoldedRow> = Vec::new();
    for connect in connects {
        let Connect { netns, daddr, dport, .. } = *connect;
        let pid = connect.caller.pid;
        let same = |row: &&mut FoldedRow| (row.netns, row.pid, row.daddr, row.dport) == (netns, pid, daddr, dport);
        match rows.iter_mut().find(same) {
            Some(row) => row.counts.add(connect),
            None => rows.push(FoldedRow { process_start_ns: u64::from(pid) * 1_000, ..FoldedRow::of(connect) }),
        }
    }
    rows
}

/// An attempt that was established in the first pass: 2 ports, 5 us of search, 50 us of handshake.
pub(crate) fn established() -> Connect {
    Connect {
        caller: Caller { pid: 10, tid: 10, comm: "php-fpm".into(), uid: 33, cgroup: None },
        netns: 1,
        saddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        sport: Some(40_000),
        daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        dport: 3306,
        outcome: Outcome::Established,
        source_port: Some(SourcePort::Ephemeral),
        port_search_ns: Some(5_000),
        ports_visited: Some(2),
        second_pass: Some(false),
        range: Some((32_768, 60_999)),
        handshake_ns: Some(50_000),
        syn_retransmits: Some(0),
        total_ns: Some(60_000),
        mptcp: Some(false),
        ..unseen()
    }
}

/// An attempt that was established after the first half was full.
pub(crate) fn second_pass() -> Connect {
    Connect {
        sport: Some(40_001),
        port_search_ns: Some(2_673_000),
        ports_visited: Some(14_150),
        second_pass: Some(true),
        total_ns: Some(2_730_000),
        ..established()
    }
}

/// An attempt that found the whole range full.
pub(crate) fn no_port() -> Connect {
    Connect {
        sport: None,
        outcome: Outcome::NoPort,
        errno: Some(libc::EADDRNOTAVAIL),
        port_search_ns: Some(5_300_000),
        ports_visited: Some(28_232),
        second_pass: Some(true),
        handshake_ns: None,
        syn_retransmits: None,
        total_ns: Some(5_310_000),
        ..established()
    }
}
