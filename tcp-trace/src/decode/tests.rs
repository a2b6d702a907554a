// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests with raw events made by hand, and with random bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use proptest::prelude::*;
use tcp_trace_common::{
    Address, RawHeader,
    connect::{RawConnect, ended, flag},
    family, kind,
    port_search::Walk,
    time_wait::{RawTimeWait, event},
};
use zerocopy::IntoBytes;

use super::Decoder;
use crate::{
    clock::Anchor,
    event::{Candidates, Cgroup, Connect, Event, LeaveReason, Outcome, Passage, SourcePort},
};

const FENTRY: u32 = flag::START | flag::SEARCH_ENTERED | flag::SEARCH_LEFT | flag::RANGE | flag::RETURNED;

fn decoder() -> Decoder {
    let walk = Walk { socket_range_steps_by_one: false, perturb_table: true, seen: true };
    Decoder::new(walk, Anchor::at(0, Timestamp::UNIX_EPOCH))
}

fn mapped(address: [u8; 4]) -> [u8; 16] {
    Ipv4Addr::from(address).to_ipv6_mapped().octets()
}

/// A raw event that was established after a search of 10 us and a handshake of 50 us.
fn raw() -> RawConnect {
    RawConnect {
        header: RawHeader { ktime_ns: 1_065_000, kind: kind::CONNECT, size: 184, pad: 0 },
        start_ns: 1_000_000,
        search_start_ns: 1_005_000,
        search_end_ns: 1_015_000,
        cgroup_id: 77,
        tgid: 10,
        tid: 11,
        uid: 1000,
        netns: 4_026_531_840,
        flags: FENTRY | flag::PERTURB | flag::MPTCP_KNOWN | flag::RETRANSMITS,
        perturb_before: 32_768 * 3,
        family: family::INET,
        sport: 32_770,
        dport: 80,
        range_low: 32_768,
        range_high: 60_999,
        ended_by: ended::ESTABLISHED,
        saddr: Address::new(mapped([10, 0, 0, 1])),
        daddr: Address::new(mapped([10, 0, 0, 2])),
        comm: *b"curl\0garbage\0\0\0\0",
        ..RawConnect::default()
    }
}

fn connect(raw: RawConnect) -> Connect {
    match decoder().decode(raw.as_bytes()) {
        Some(Event::Connect(connect)) => connect,
        other => panic!("{other:?}"),
    }
}

fn ends(raw: RawConnect) -> (Outcome, Option<i32>) {
    let connect = connect(raw);
    (connect.outcome, connect.errno)
}

#[test]
fn an_established_attempt() {
    let connect = connect(raw());
    assert_eq!(connect.time.as_nanosecond(), 1_065_000);
    assert_eq!((&*connect.caller.comm, connect.caller.cgroup), ("curl", Some(Cgroup { id: 77, path: None })));
    assert_eq!(connect.daddr, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
    assert_eq!((connect.outcome, connect.errno), (Outcome::Established, None));
    let times = (connect.port_search_ns, connect.handshake_ns, connect.total_ns);
    assert_eq!(times, (Some(10_000), Some(50_000), Some(65_000)));
    assert_eq!((connect.source_port, connect.second_pass), (Some(SourcePort::Ephemeral), Some(false)));
    assert!(connect.ports_visited.is_some());
    assert_eq!((connect.syn_retransmits, connect.mptcp, connect.candidates), (Some(0), Some(false), None));
}

#[test]
fn ends_of_a_call() {
    let failed = |search_ret, call_ret| RawConnect { search_ret, call_ret, ended_by: ended::CALL_FAILED, ..raw() };
    assert_eq!(ends(failed(-99, -99)), (Outcome::NoPort, Some(99)));
    assert_eq!(ends(failed(0, -98)), (Outcome::PortInUse, Some(98)));
    assert_eq!(ends(failed(0, -101)), (Outcome::Unreachable, Some(101)));
    assert_eq!(ends(failed(0, -22)), (Outcome::Unreachable, Some(22)));
    assert_eq!(ends(failed(0, -512)), (Outcome::Interrupted, Some(4)));
    assert_eq!(ends(failed(0, i32::MIN)), (Outcome::Abandoned, None));
    let denied = RawConnect { flags: 0, call_ret: -22, ended_by: ended::DENIED, ..raw() };
    assert_eq!(ends(denied), (Outcome::Denied, Some(22)));
    let no_route = RawConnect { flags: flag::START, call_ret: -101, ended_by: ended::DENIED, ..raw() };
    assert_eq!(ends(no_route), (Outcome::Unreachable, Some(101)));
}

#[test]
fn ends_of_a_socket() {
    let closed = |sk_err| RawConnect { sk_err, ended_by: ended::CLOSED, ..raw() };
    assert_eq!(ends(closed(111)), (Outcome::Refused, Some(111)));
    assert_eq!(ends(closed(110)), (Outcome::TimedOut, Some(110)));
    assert_eq!(ends(closed(104)), (Outcome::Reset, Some(104)));
    assert_eq!(ends(closed(113)), (Outcome::Unreachable, Some(113)));
    assert_eq!(ends(closed(13)), (Outcome::Denied, Some(13)));
    assert_eq!(ends(closed(0)), (Outcome::Abandoned, None));
    let interrupted = RawConnect { flags: FENTRY | flag::INTERRUPTED, ..closed(0) };
    assert_eq!(ends(interrupted), (Outcome::Interrupted, Some(4)));
    assert_eq!(ends(RawConnect { ended_by: ended::DESTROYED, ..raw() }), (Outcome::Abandoned, None));
    assert_eq!(ends(RawConnect { ended_by: ended::NOT, ..raw() }), (Outcome::Pending, None));
}

#[test]
fn a_pending_attempt_has_no_times_to_its_end() {
    let connect = connect(RawConnect { ended_by: ended::NOT, ..raw() });
    assert_eq!((connect.port_search_ns, connect.handshake_ns, connect.total_ns), (Some(10_000), None, None));
}

#[test]
fn no_syn_no_handshake() {
    let no_port = RawConnect { search_ret: -99, call_ret: -99, sport: 0, ended_by: ended::CALL_FAILED, ..raw() };
    let no_port = connect(no_port);
    assert_eq!((no_port.sport, no_port.handshake_ns, no_port.syn_retransmits), (None, None, None));
    assert_eq!((no_port.ports_visited, no_port.second_pass), (Some(28_232), Some(true)));
    let deferred = connect(RawConnect { flags: FENTRY | flag::DEFERRED, ..raw() });
    assert_eq!((deferred.handshake_ns, deferred.total_ns), (None, Some(65_000)));
}

#[test]
fn a_bound_socket_whose_four_tuple_exists() {
    let raw = RawConnect { bound_port: 5000, sport: 5000, search_ret: -99, call_ret: -99, ..raw() };
    let connect = connect(RawConnect { ended_by: ended::CALL_FAILED, ..raw });
    assert_eq!((connect.outcome, connect.source_port), (Outcome::NoPort, Some(SourcePort::Bound)));
    assert_eq!((connect.ports_visited, connect.second_pass, connect.port_search_ns), (None, None, None));
}

#[test]
fn the_tracepoint_tier() {
    let raw = RawConnect { flags: flag::SYN_SENT | flag::RANGE, search_end_ns: 0, sport: 32_771, ..raw() };
    let established = connect(raw);
    assert_eq!((established.handshake_ns, established.total_ns), (Some(60_000), None));
    assert_eq!((established.port_search_ns, established.ports_visited), (None, None));
    assert_eq!(established.second_pass, Some(true));
    let inferred = connect(RawConnect { sport: 0, ended_by: ended::CLOSED, ..raw });
    assert_eq!((inferred.outcome, inferred.errno, inferred.ports_visited), (Outcome::NoPort, None, None));
    let told = RawConnect { sport: 0, call_ret: -99, ended_by: ended::CALL_FAILED, ..raw };
    let told = connect(told);
    assert_eq!((told.outcome, told.errno, told.ports_visited), (Outcome::NoPort, Some(99), Some(28_232)));
}

#[test]
fn why_candidates_were_refused() {
    let raw = RawConnect {
        flags: FENTRY | flag::PROBED,
        first_candidate: 32_768,
        refused_candidates: 3,
        time_wait_refused: 2,
        sport: 32_776,
        ..raw()
    };
    let connect = connect(raw);
    assert_eq!(connect.ports_visited, Some(5));
    let candidates = Candidates { in_use: 1, time_wait: 2, time_wait_reused: 0, skipped: Some(1) };
    assert_eq!(connect.candidates, Some(candidates));
}

#[test]
fn ipv6_stays_ipv6() {
    let raw = RawConnect { family: family::INET6, daddr: Address::new(Ipv6Addr::LOCALHOST.octets()), ..raw() };
    assert_eq!(connect(raw).daddr, IpAddr::V6(Ipv6Addr::LOCALHOST));
}

#[test]
fn a_minisocket_expires() {
    let raw = RawTimeWait {
        header: RawHeader { ktime_ns: 9, kind: kind::TIME_WAIT, size: 96, pad: 0 },
        lived_ns: 60_000_000_000,
        netns: 1,
        level: u32::MAX,
        family: family::INET,
        event: event::EXPIRED,
        ..RawTimeWait::default()
    };
    let Some(Event::TimeWait(time_wait)) = decoder().decode(raw.as_bytes()) else { panic!() };
    assert_eq!(time_wait.passage, Passage::Leave(LeaveReason::Expired));
    assert_eq!((time_wait.lived_ns, time_wait.level, time_wait.owner_pid), (Some(60_000_000_000), None, None));
}

#[test]
fn counts_what_it_does_not_know() {
    let mut decoder = decoder();
    let unknown = RawHeader { kind: 999, ..RawHeader::default() };
    assert_eq!(decoder.decode(unknown.as_bytes()), None);
    assert_eq!(decoder.decode(&raw().as_bytes()[..100]), None);
    assert_eq!(decoder.decode(&[]), None);
    assert_eq!(decoder.undecoded(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn never_panics(
        kind in prop_oneof![Just(kind::CONNECT), Just(kind::TIME_WAIT), any::<u16>()],
        mut bytes in prop::collection::vec(any::<u8>(), 0..256),
        steps: bool,
    ) {
        if let Some(slot) = bytes.get_mut(8..10) {
            slot.copy_from_slice(&kind.to_ne_bytes());
        }
        let walk = Walk { perturb_table: true, socket_range_steps_by_one: steps, seen: true };
        let mut decoder = Decoder::new(walk, Anchor::at(u64::MAX, Timestamp::MAX));
        let decoded = decoder.decode(&bytes).is_some();
        prop_assert_eq!(decoder.undecoded(), u64::from(!decoded));
    }

    #[test]
    fn never_panics_on_connects_nearly_right(
        flags: u32, ports in any::<[u16; 6]>(), counts in any::<[u32; 8]>(), offset: u64, ended_by in 0..8_u8,
        rets in any::<[i32; 3]>(),
    ) {
        let raw = RawConnect {
            flags, ended_by, port_offset: offset,
            sport: ports[0], bound_port: ports[1] & 1, range_low: ports[2], range_high: ports[3],
            first_candidate: ports[4],
            perturb_before: counts[0], perturb_after: counts[1], step_width: counts[2] & 3, socket_range: counts[3],
            refused_candidates: counts[4], time_wait_refused: counts[5], search_ret: rets[0] & 1, call_ret: rets[1],
            sk_err: rets[2], ..raw()
        };
        let connect = connect(raw);
        if let Some(visited) = connect.ports_visited {
            let (low, high) = connect.range.unwrap();
            prop_assert!(visited >= 1 && visited <= u32::from(high - low) + 1);
        }
    }
}
