// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the findings about queues.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::{Code, Evidence, Finding, Severity, findings};
use crate::{
    aggregate::{
        listen::{Endpoint, ListenCounts, ListenSnapshot, Listener, Now, SlowHandshakes, SpaceCounters},
        observed::{Observed, SpaceFacts},
        tally::Process,
    },
    event::DropCause,
    kernel::rules::{SearchRules, Sysctls},
};

const ENDPOINT: Endpoint = Endpoint { netns: 1, saddr: IpAddr::V4(Ipv4Addr::LOCALHOST), sport: 80 };

fn nginx() -> Process {
    Process { pid: 7, comm: "nginx".into() }
}

fn listener(limit: u64, asked: Option<u64>, drops: [u64; 5], cookies: u64) -> Listener {
    let now = Now {
        members: 1,
        chain: 1,
        accept_queue: limit + 1,
        fullest: limit + 1,
        limit,
        syn_queue: 0,
        owner: Some(nginx()),
    };
    let counts = ListenCounts { syns: 1_000, drops, cookies, queued: 900, ..ListenCounts::default() };
    Listener {
        endpoint: ENDPOINT,
        now: Some(now),
        counts: Some(counts),
        accept_high: Some(limit + 1),
        syn_high: Some(3),
        asked,
        skew: None,
        owner: Some(nginx()),
    }
}

fn found(listen: ListenSnapshot, sysctls: &Sysctls) -> Vec<Finding> {
    let space = SpaceFacts { sysctls: sysctls.clone(), ..SpaceFacts::default() };
    let observed = Observed { seconds: 10.0, listen, spaces: Arc::new([(1, space)].into()), ..Observed::default() };
    findings(&observed, &SearchRules::default(), sysctls)
}

fn traced(listener: Listener) -> ListenSnapshot {
    ListenSnapshot { listeners: vec![listener], traced: true, ..ListenSnapshot::default() }
}

fn settings(somaxconn: u32, syncookies: u8) -> Sysctls {
    Sysctls {
        netns: Some(1),
        somaxconn: Some(somaxconn),
        tcp_syncookies: Some(syncookies),
        tcp_max_syn_backlog: Some(256),
        ..Sysctls::default()
    }
}

fn commands(finding: &Finding) -> Vec<&str> {
    finding.fix.iter().map(String::as_str).filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn an_accept_queue_that_overflows() {
    let dropping = [60, 4, 0, 0, 0];
    let all = found(traced(listener(511, None, dropping, 0)), &settings(4096, 1));
    assert_eq!((all.len(), all[0].code, all[0].severity), (1, Code::AcceptQueueOverflow, Severity::Critical));
    // The application's backlog is the lower one: no setting helps.
    assert_eq!(commands(&all[0]), [""; 0]);
    assert!(all[0].fix.iter().any(|line| line.contains("the application's backlog, 511, is below somaxconn, 4,096")));
    let limited = found(traced(listener(128, None, dropping, 0)), &settings(128, 1));
    assert_eq!(commands(&limited[0]), ["sysctl -w net.core.somaxconn=4096"]);
    let cut = found(traced(listener(128, Some(1024), dropping, 0)), &settings(128, 1));
    assert!(cut[0].fix.iter().any(|line| line.contains("asked for 1,024 and got 128")), "{:?}", cut[0].fix);
}

#[test]
fn a_chain_is_told_by_its_length_where_nobody_takes_the_time() {
    let chain = |length, lookups, lookup_ns| {
        let mut listener = listener(511, None, [0; 5], 0);
        let now = listener.now.as_mut().expect("it listens");
        (now.members, now.chain, now.accept_queue, now.fullest) = (2_000, length, 0, 0);
        listener.counts = listener.counts.map(|counts| ListenCounts { lookups, lookup_ns, ..counts });
        found(traced(listener), &settings(4096, 1))
    };
    assert!(chain(1, 0, 0).is_empty(), "a SO_REUSEPORT group is looked at once");
    let untimed = chain(2_000, 0, 0);
    assert_eq!((untimed.len(), untimed[0].code, untimed[0].severity), (1, Code::ListenerChain, Severity::Warning));
    assert!(untimed[0].evidence.contains(&("lookup_mean_ns", Evidence::Unknown)), "{:?}", untimed[0].evidence);
    assert!(chain(2_000, 500, 500 * 900).is_empty(), "it was measured, and is fast");
    assert_eq!(chain(1, 500, 500 * 30_000)[0].evidence[3], ("lookup_mean_ns", Evidence::Number(30_000)));
}

#[test]
fn one_drop_is_no_disaster() {
    let all = found(traced(listener(511, None, [1, 0, 0, 0, 0], 0)), &settings(4096, 1));
    assert_eq!(all[0].severity, Severity::Warning);
}

#[test]
fn a_syn_queue_that_overflows() {
    let carried = found(traced(listener(511, None, [0; 5], 300)), &settings(4096, 1));
    assert_eq!((carried[0].code, carried[0].severity), (Code::SynQueueOverflow, Severity::Warning));
    let dropping = found(traced(listener(511, None, [0, 0, 80, 20, 0], 0)), &settings(4096, 0));
    assert_eq!((dropping[0].code, dropping[0].severity), (Code::SynQueueOverflow, Severity::Critical));
    assert_eq!(
        commands(&dropping[0]),
        [
            "ss -tn state syn-recv 'sport = :80'",
            "sysctl -w net.ipv4.tcp_syncookies=1",
            "sysctl -w net.ipv4.tcp_max_syn_backlog=4096",
        ]
    );
    // Every SYN is answered by a cookie there, full or not.
    assert!(
        found(traced(listener(511, None, [0; 5], 300)), &settings(4096, 2))
            .iter()
            .all(|finding| finding.code != Code::SynQueueOverflow)
    );
}

#[test]
fn a_handshake_that_waited_comes_after_its_cause() {
    let slow = SlowHandshakes {
        listener: ENDPOINT,
        cause: DropCause::AcceptQueue,
        connects: 3,
        retransmits: 4,
        max_ns: Some(3_000_000_000),
        caller: Process { pid: 9, comm: "curl".into() },
    };
    let listen = ListenSnapshot { slow: vec![slow], ..traced(listener(511, None, [5, 0, 0, 0, 0], 0)) };
    let all = found(listen, &settings(4096, 1));
    let codes: Vec<_> = all.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::AcceptQueueOverflow, Code::SlowHandshake]);
    assert!(all[1].headline.contains("curl (9)") && all[1].headline.contains("nginx (7)"));
}

#[test]
fn what_nothing_happens_to_is_quiet() {
    assert!(found(traced(listener(511, None, [0; 5], 0)), &settings(4096, 1)).is_empty());
    let space = SpaceCounters { netns: 1, overflows: Some(0), ..SpaceCounters::default() };
    let untraced = ListenSnapshot { spaces: vec![space], ..ListenSnapshot::default() };
    assert!(found(untraced, &settings(4096, 1)).is_empty());
}

#[test]
fn without_programs_the_counters_of_the_namespace_speak() {
    let space = SpaceCounters { netns: 1, overflows: Some(40), drops: Some(40), ..SpaceCounters::default() };
    let full = Listener { counts: None, ..listener(511, None, [0; 5], 0) };
    let listen = ListenSnapshot { listeners: vec![full], spaces: vec![space], ..ListenSnapshot::default() };
    let all = found(listen, &settings(4096, 1));
    assert_eq!((all[0].code, all[0].severity), (Code::AcceptQueueOverflow, Severity::Critical));
    assert!(all[0].headline.contains("127.0.0.1:80 of nginx (7)"), "{}", all[0].headline);
}
