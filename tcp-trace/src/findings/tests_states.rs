// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of findings about states and TIME_WAIT.

use std::net::Ipv4Addr;

use tcp_trace_common::tcp_state;

use super::*;
use crate::{
    aggregate::{
        ports::PortsAggregate,
        state::{Now, StateRow, Traced},
        time_wait_owners::OwnerRow,
    },
    event::Side,
    inventory::{
        sample::{inventory, socket},
        socket::{Socket, State},
    },
    model::peer::{Peer, Who},
};

const SECOND: u64 = 1_000_000_000;

fn peer() -> Peer {
    Peer { netns: 1, pid: Some(42), side: Side::Opened, address: Ipv4Addr::new(10, 0, 0, 2).into(), port: 3306 }
}

fn row() -> StateRow {
    StateRow { peer: peer(), who: Who { comm: Some("php-fpm".into()), cgroup: None }, traced: None, now: None }
}

fn of_row(row: StateRow) -> Vec<Finding> {
    let mut observed = Observed { seconds: 10.0, ..Observed::default() };
    observed.states.rows = vec![row];
    let own = Sysctls { netns: Some(1), ..Sysctls::default() };
    findings(&observed, &SearchRules::default(), &own)
}

fn now(close_wait: u64, stuck: u64, first: u64) -> Now {
    let mut now = Now { stuck, stuck_max_ns: 9 * SECOND, close_wait_first: first, ..Now::default() };
    now.states[usize::from(tcp_state::CLOSE_WAIT)] = close_wait;
    now
}

#[test]
fn who_does_not_close() {
    // Many that come and go are no leak.
    assert_eq!(of_row(StateRow { now: Some(now(50, 0, 50)), ..row() }), []);
    let [finding] = &of_row(StateRow { now: Some(now(50, 40, 10)), ..row() })[..] else { panic!() };
    assert_eq!((finding.code, finding.severity), (Code::CloseWaitLeak, Severity::Warning));
    assert_eq!(
        finding.headline,
        "php-fpm (42) does not close: 50 connections to 10.0.0.2:3306 are in CLOSE_WAIT, 40 of them for 2 s or longer"
    );
    assert!(finding.fix.contains(&"ss -tnp state close-wait '( dport = :3306 )'".to_owned()));
    let [few] = &of_row(StateRow { now: Some(now(4, 4, 4)), ..row() })[..] else { panic!() };
    assert_eq!(few.severity, Severity::Info);
    let traced = |age_ns| {
        let mut traced = Traced::default();
        let state = &mut traced.states[usize::from(tcp_state::CLOSE_WAIT)];
        (state.inside, state.inside_mean_ns) = (30, Some(age_ns));
        of_row(StateRow { traced: Some(traced), ..row() })
    };
    assert_eq!(traced(SECOND / 100), []);
    assert!(
        traced(4 * SECOND)[0]
            .headline
            .ends_with("30 connections to 10.0.0.2:3306 are in CLOSE_WAIT, on average for 4.0 s")
    );
}

#[test]
fn what_so_linger_does() {
    let resets = |linger_resets, closed| {
        of_row(StateRow { traced: Some(Traced { linger_resets, closed, ..Traced::default() }), ..row() })
    };
    assert_eq!(resets(2, 2), []);
    assert_eq!(resets(10, 500)[0].severity, Severity::Info);
    let [finding] = &resets(300, 310)[..] else { panic!() };
    assert_eq!((finding.code, finding.severity), (Code::LingerReset, Severity::Warning));
    assert_eq!(
        finding.headline,
        "php-fpm (42) ends 300 of 310 connections -> 10.0.0.2:3306 with a RST, because it closes them with SO_LINGER 0"
    );
    let blocked = |lingering_max_ns| {
        let traced = Traced { lingering: 2, lingering_ns: lingering_max_ns + 5, lingering_max_ns, ..Traced::default() };
        of_row(StateRow { traced: Some(traced), ..row() })
    };
    assert_eq!(blocked(SECOND / 100), []);
    assert!(blocked(14 * SECOND)[0].headline.contains("waited up to 14.0 s"));
}

#[test]
fn connections_that_live_shortly() {
    let of = |opened, mean_ns| {
        let mut traced = Traced { opened, closed: opened, closed_first: opened, ..Traced::default() };
        traced.states[usize::from(tcp_state::ESTABLISHED)].mean_ns = Some(mean_ns);
        of_row(StateRow { traced: Some(traced), ..row() })
    };
    assert_eq!(of(50, SECOND / 100), []);
    assert_eq!(of(50_000, 2 * SECOND), []);
    let [finding] = &of(41_000, 8_000_000)[..] else { panic!() };
    assert_eq!((finding.code, finding.severity), (Code::ShortConnections, Severity::Warning));
    assert_eq!(finding.headline, "php-fpm (42) opens 4100 connections a second -> 10.0.0.2:3306, which live 8.0 ms");
    let gain = finding.gain.as_deref().unwrap_or_default();
    assert!(gain.contains("a pool of about 33") && gain.contains("246,000 TIME_WAITs a minute"), "{gain}");
}

/// Findings for `count` minisockets to 10.0.0.2:3306, in a range of 400 ports.
fn pile(count: u16, tcp_tw_reuse: u8, entered: u64) -> Vec<Finding> {
    let sysctls = Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((40_000, 40_399)),
        tcp_tw_reuse: Some(tcp_tw_reuse),
        tcp_timestamps: Some(1),
        ..Sysctls::default()
    };
    let sockets = (0..count).map(|port| Socket { ..socket(State::TimeWait, 40_000 + port) }).collect();
    let mut ports = PortsAggregate::default();
    ports.survey(&inventory(sysctls.clone(), sockets));
    let who = Who { comm: Some("nginx".into()), cgroup: None };
    let owner = OwnerRow {
        peer: peer(),
        who,
        level: Some(entered),
        entered,
        entered_fin_wait2: 0,
        entered_without_timestamps: 0,
        expired: 0,
        reused: 0,
        by_syn: 0,
        reset: 0,
        other: 0,
        overflow: 0,
    };
    let observed =
        Observed { seconds: 10.0, ports: ports.latest(), time_wait_owners: vec![owner], ..Observed::default() };
    let mut found = findings(&observed, &SearchRules::default(), &sysctls);
    found.retain(|finding| finding.code == Code::TimeWaitPileup);
    found
}

#[test]
fn time_wait_piles_up() {
    assert_eq!(pile(90, 0, 90), []);
    let [finding] = &pile(120, 0, 120)[..] else { panic!() };
    assert_eq!(finding.severity, Severity::Warning);
    assert!(
        finding.headline.starts_with(
            "120 of 400 ports towards 10.0.0.2:3306 are in TIME_WAIT, closed first by nginx (42); connect() cannot \
             reuse them"
        ),
        "{}",
        finding.headline
    );
    // 12 a second leave 720 in a minute, of 400 ports.
    assert!(finding.evidence.contains(&("expected_in_a_minute", Evidence::Number(720))));
    assert!(pile(120, 1, 120)[0].headline.contains("connect() may reuse them"));
}
