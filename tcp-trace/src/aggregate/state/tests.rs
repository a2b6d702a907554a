// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests from totals and sockets to rows.

use tcp_trace_common::{family, peer::side};

use super::*;
use crate::{
    inventory::{
        sample::{inventory, socket},
        socket::Socket,
    },
    kernel::rules::Sysctls,
};

const SECOND: u64 = 1_000_000_000;
const CLOSE_WAIT: usize = tcp_state::CLOSE_WAIT as usize;

/// A peer at 10.0.0.2:3306, like the sample socket.
fn peer(tgid: u32) -> RawPeer {
    let address = tcp_trace_common::Address::new(std::net::Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets());
    RawPeer { netns: 1, tgid, address, port: 3306, family: family::INET, side: side::OPENED, ..RawPeer::default() }
}

#[test]
fn ages_survive_sums_that_overflow() {
    let now_ns = u64::MAX / 3;
    let mut totals = RawStateTotals::default();
    totals.states[CLOSE_WAIT].inside = 4;
    totals.states[CLOSE_WAIT].inside_since_ns = (now_ns - 5 * SECOND).wrapping_mul(4);
    let mut aggregate = StateAggregate::default();
    aggregate.enter(&[(peer(7), totals)], &[], now_ns);
    let state = *aggregate.total().rows[0].traced.expect("traced").state(tcp_state::CLOSE_WAIT);
    assert_eq!((state.inside, state.inside_mean_ns, state.mean_ns), (4, Some(5 * SECOND), None));
}

#[test]
fn intervals_are_differences_and_what_is_inside_is_of_now() {
    let totals = |opened, left, ns| {
        let mut totals = RawStateTotals { opened, ..RawStateTotals::default() };
        totals.states[1] = RawInState { inside: 1, inside_since_ns: 10, left, ns, max_ns: 900 };
        totals
    };
    let mut aggregate = StateAggregate::default();
    aggregate.enter(&[(peer(7), totals(10, 9, 900))], &[], 100);
    aggregate.tick();
    aggregate.enter(&[(peer(7), totals(14, 11, 1_500))], &[], 200);
    let interval = aggregate.tick();
    let traced = interval.rows[0].traced.expect("traced");
    assert_eq!((traced.opened, traced.state(1).left, traced.life_mean_ns()), (4, 2, Some(300)));
    assert_eq!((traced.state(1).inside, traced.state(1).inside_mean_ns), (1, Some(190)));
    let total = aggregate.total();
    assert_eq!(total.rows[0].traced.expect("traced").opened, 14);
    // The count that moved to its owner is less than the one before.
    aggregate.enter(&[(peer(7), totals(3, 11, 1_500))], &[], 300);
    assert_eq!(aggregate.tick().rows[0].traced.expect("traced").opened, 0);
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let totals = |comm: &str, linger_resets| {
        let mut totals = RawStateTotals { opened: 520, closed: 520, linger_resets, ..RawStateTotals::default() };
        totals.comm[..comm.len()].copy_from_slice(comm.as_bytes());
        totals
    };
    let started = |process_start_ns| RawPeer { process_start_ns, ..peer(7) };
    let mut aggregate = StateAggregate::default();
    aggregate.enter(&[(started(1), totals("first", 0)), (started(2), totals("second", 500))], &[], 100);
    let mut rows = aggregate.total().rows;
    rows.sort_by_key(|row| row.traced.map(|traced| traced.linger_resets));
    let seen = rows
        .iter()
        .map(|row| (row.who.comm.map(|comm| comm.to_string()), row.traced.map(|traced| traced.linger_resets)));
    let wanted = [("first", 0), ("second", 500)].map(|(comm, resets)| (Some(comm.to_owned()), Some(resets)));
    assert_eq!(seen.collect::<Vec<_>>(), wanted);
}

#[test]
fn a_process_that_is_kept_with_others_is_counted_once_and_takes_no_memory() {
    let totals = |opened| RawStateTotals { opened, closed: opened, ..RawStateTotals::default() };
    let mut aggregate = StateAggregate::default();
    let opened = |row: &StateRow| row.traced.expect("traced").opened;
    for ended in 1..100 {
        let other = |ended: u64| peer(100 + ended as u32);
        let rows = [(peer(7), totals(ended)), (other(ended), totals(1))];
        aggregate.enter(&rows, &[(other(ended - 1), peer(7))], 100);
        let interval = aggregate.tick();
        // The first has one from before the tracing began.
        assert_eq!(interval.rows.iter().map(opened).sum::<u64>(), if ended == 1 { 2 } else { 1 });
        assert_eq!((aggregate.now.len(), aggregate.last.len()), (2, 2));
    }
    assert_eq!(aggregate.total().rows.iter().map(opened).sum::<u64>(), 100);
}

#[test]
fn a_change_seen_half_is_nobody_inside() {
    let mut totals = RawStateTotals::default();
    totals.states[CLOSE_WAIT].inside = u64::MAX;
    totals.opened = 1;
    let mut aggregate = StateAggregate::default();
    aggregate.enter(&[(peer(0), totals)], &[], 5);
    assert_eq!(aggregate.total().rows[0].traced.expect("traced").state(tcp_state::CLOSE_WAIT).inside, 0);
}

fn close_wait(cookie: u64) -> Socket {
    Socket { cookie, ..socket(State::CloseWait, 40_000 + cookie as u16) }
}

#[test]
fn who_is_in_close_wait_since_when() {
    let mut aggregate = StateAggregate::default();
    let at = |begin_ns, cookies: std::ops::Range<u64>| {
        let sockets = cookies.map(close_wait).collect();
        Inventory { begin_ns, ..inventory(Sysctls::default(), sockets) }
    };
    aggregate.survey(&at(SECOND, 1..5));
    let now = aggregate.total().rows[0].now.expect("looked at");
    assert_eq!((now.states[CLOSE_WAIT], now.stuck), (4, 0));
    // Two were closed and six are new; the other two have been there for three seconds.
    aggregate.survey(&at(4 * SECOND, 3..11));
    let row = &aggregate.total().rows[0];
    let now = row.now.expect("looked at");
    assert_eq!((now.states[CLOSE_WAIT], now.stuck, now.stuck_max_ns), (8, 2, 3 * SECOND));
    assert_eq!((now.close_wait_first, row.peer.pid, row.in_state(State::CloseWait)), (4, None, Some(8)));
    assert_eq!(aggregate.total().of_all(State::CloseWait).now, Some(8));
    aggregate.survey(&at(5 * SECOND, 0..0));
    assert!(aggregate.total().rows.is_empty());
}

#[test]
fn clients_of_a_service_are_one_row() {
    let accepted = |dport| Socket { sport: 80, dport, ..socket(State::Established, 0) };
    let sockets = vec![Socket { sport: 80, ..socket(State::Listen, 80) }, accepted(50_000), accepted(50_001)];
    let mut aggregate = StateAggregate::default();
    aggregate.survey(&inventory(Sysctls::default(), sockets));
    let snapshot = aggregate.total();
    let [row] = &snapshot.rows[..] else { panic!("{:?}", snapshot.rows) };
    assert_eq!((row.peer.port, row.in_state(State::Established), row.traced), (80, Some(2), None));
    assert_eq!(row.peer.to_string(), "<- 10.0.0.1:80");
}
