// SPDX-License-Identifier: MIT OR Apache-2.0
//! `listen` as text and as JSON, compared with the files in tests/golden.

mod support;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use support::golden::check;
use tcp_trace::{
    aggregate::{
        ledger::Ledger,
        listen::{Endpoint, ListenAggregate, ListenSnapshot, Listener, Now, SlowHandshakes},
        observed::{Observed, SpaceFacts},
        tally::Process,
    },
    event::{DropCause, Lost},
    export::{json, rows},
    findings::findings,
    kernel::rules::{SearchRules, Sysctls},
    mode::Mode,
    model::accounts::Counts,
    probes::tier::Tier,
    summarize::summary::Summary,
    view::screen::{Layout, screen},
};
use tcp_trace_common::{
    Address,
    listen::{RawListener, RawListenerKey, cause},
};

const NETNS: u32 = 4_026_532_118;

fn time() -> Timestamp {
    "2026-01-02T03:04:05.678901234Z".parse().expect("a timestamp")
}

fn now(members: u64, queue: u64, limit: u64) -> Now {
    let owner = Some(Process { pid: 4242, comm: "nginx".into() });
    Now { members, chain: 1, accept_queue: queue * members, fullest: queue, limit, syn_queue: 2, owner }
}

/// What the kernel side says of one socket, as the aggregate answers for it.
fn traced(sk: u64, saddr: IpAddr, port: u16, totals: RawListener) -> Listener {
    let octets = match saddr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut listen = ListenAggregate::default();
    let key = RawListenerKey { sk, netns: NETNS, port, family: 2, saddr: Address::new(octets) };
    listen.enter(&[(key, totals)], &[]);
    listen.total().listeners.swap_remove(0)
}

fn summary() -> Summary {
    let mut drops = [0; cause::SLOTS];
    drops[usize::from(cause::ACCEPT_QUEUE)] = 1_187;
    drops[usize::from(cause::ACCEPT_QUEUE_AT_ACK)] = 13;
    let totals = RawListener {
        syns: 2_400,
        drops,
        queued: 1_200,
        accepted: 1_100,
        accept_high: 512,
        syn_high: 40,
        asked: 511,
        lookups: 2_400,
        lookup_ns: 2_400 * 840,
        owner_tgid: 4242,
        owner_comm: *b"nginx\0\0\0\0\0\0\0\0\0\0\0",
        ..RawListener::NEW
    };
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let dropping = Listener { now: Some(now(1, 512, 511)), ..traced(1, any, 443, totals) };
    let busy = RawListener { syns: 90, queued: 90, accepted: 90, cookies: 7, accept_high: 3, ..RawListener::NEW };
    let group =
        Listener { now: Some(now(4, 0, 4096)), skew: Some(1.4), ..traced(2, Ipv4Addr::LOCALHOST.into(), 8080, busy) };
    let unseen = Listener {
        endpoint: Endpoint { netns: NETNS, saddr: Ipv4Addr::UNSPECIFIED.into(), sport: 22 },
        now: Some(now(1, 0, 128)),
        counts: None,
        accept_high: None,
        syn_high: None,
        asked: None,
        skew: None,
        owner: None,
    };
    let slow = SlowHandshakes {
        listener: dropping.endpoint,
        cause: DropCause::AcceptQueue,
        connects: 31,
        retransmits: 44,
        max_ns: Some(3_071_000_000),
        caller: Process { pid: 77, comm: "checkout-api".into() },
    };
    let listen = ListenSnapshot {
        listeners: vec![dropping, group, unseen],
        beyond: 2,
        traced: true,
        spaces: Vec::new(),
        slow: vec![slow],
    };
    let sysctls = Sysctls {
        netns: Some(NETNS),
        somaxconn: Some(4096),
        tcp_syncookies: Some(1),
        tcp_max_syn_backlog: Some(256),
        tcp_abort_on_overflow: Some(0),
        ..Sysctls::default()
    };
    let space = SpaceFacts { sysctls: sysctls.clone(), ..SpaceFacts::default() };
    let observed = Observed { seconds: 10.0, listen, spaces: Arc::new([(NETNS, space)].into()), ..Observed::default() };
    Summary {
        mode: Mode::Listen,
        time: time(),
        is_final: true,
        findings: findings(&observed, &SearchRules::default(), &sysctls),
        observed,
        lost: Lost::default(),
        traced: true,
        tier: Some(Tier::Fentry),
        kernel: "6.12".into(),
        ledger: Ledger { counts: Some(Counts::default()), budget: 0.01, ..Ledger::default() },
        notes: Vec::new(),
    }
}

#[test]
fn screen_of_listen() {
    let text = screen(&summary(), Layout { width: 80, top: 5, colours: false, unicode: false, verbose: true });
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(long, [""; 0]);
    assert!(text.contains(&SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080).to_string()));
    check("listen.txt", &text);
}

#[test]
fn rows_of_listen() {
    let summary = summary();
    let mut out = Vec::new();
    for row in rows::of(&summary, 5) {
        json::row(&mut out, summary.time, &row);
    }
    check("listen.jsonl", &String::from_utf8(out).expect("UTF-8"));
}
