// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests with totals, an inventory and a handshake that waited.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use tcp_trace_common::{
    Address,
    listen::{RawListener, RawListenerKey, UNKNOWN, cause},
};

use super::{Endpoint, ListenAggregate};
use crate::{
    aggregate::sample,
    event::{DropCause, Event, ListenDrop},
    model::folded::FoldedRow,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn key(sk: u64) -> RawListenerKey {
    let saddr = Address::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
    RawListenerKey { sk, netns: 1, port: 80, family: 2, saddr }
}

fn totals(syns: u64, dropped: u64, queued: u64) -> RawListener {
    let mut totals = RawListener { syns, queued, accepted: queued, accept_high: 9, ..RawListener::NEW };
    totals.drops[usize::from(cause::ACCEPT_QUEUE)] = dropped;
    totals
}

#[test]
fn a_group_is_one_row_and_rates_are_differences() {
    let mut listen = ListenAggregate::default();
    listen.enter(&[(key(1), totals(10, 1, 9)), (key(2), totals(4, 0, 3))], &[]);
    let first = listen.tick();
    let [row] = &first.listeners[..] else { panic!("{first:?}") };
    assert_eq!(row.endpoint, Endpoint { netns: 1, saddr: LOOPBACK, sport: 80 });
    let counts = row.counts.expect("traced");
    assert_eq!((counts.syns, counts.by_accept_queue(), counts.queued, counts.accepted()), (14, 1, 12, Some(12)));
    assert_eq!((row.accept_high, row.now.is_none()), (Some(9), true));
    listen.enter(&[(key(1), totals(15, 3, 12)), (key(2), totals(4, 0, 3))], &[]);
    let second = listen.tick().listeners[0].counts.expect("traced");
    assert_eq!((second.syns, second.dropped(), second.queued), (5, 2, 3));
    // There is no listener any more, and nothing happened: no row.
    assert!(listen.tick().listeners.is_empty());
    assert_eq!(listen.total().listeners[0].counts.expect("traced").syns, 19);
}

#[test]
fn a_socket_that_is_kept_with_others_is_counted_once() {
    let mut listen = ListenAggregate::default();
    listen.enter(&[(key(1), totals(10, 1, 9)), (key(2), totals(4, 0, 3))], &[]);
    listen.tick();
    listen.enter(&[(key(1), totals(14, 1, 12))], &[(key(2), key(1))]);
    assert!(listen.tick().listeners.is_empty(), "nothing happened");
    assert_eq!(listen.total().listeners[0].counts.expect("traced").syns, 14);
}

#[test]
fn accepts_that_are_not_seen_are_not_known() {
    let mut listen = ListenAggregate::default();
    listen.enter(&[(key(1), RawListener { accepted: UNKNOWN, ..totals(2, 0, 2) })], &[]);
    assert_eq!(listen.tick().listeners[0].counts.expect("traced").accepted(), None);
}

#[test]
fn a_handshake_that_waited_is_joined_with_who_dropped_its_syn() {
    let mut listen = ListenAggregate::default();
    let connect = sample::established();
    let client = SocketAddr::new(connect.saddr, connect.sport.expect("a port"));
    listen.observe(&Event::ListenDrop(ListenDrop {
        time: Timestamp::UNIX_EPOCH,
        netns: 1,
        saddr: LOOPBACK,
        sport: connect.dport,
        client: Some(client),
        cause: DropCause::AcceptQueue,
        accept_queue: 9,
        syn_queue: 0,
        limit: 8,
    }));
    let waited =
        crate::event::Connect { syn_retransmits: Some(2), handshake_ns: Some(3_000_000_000), ..connect.clone() };
    let elsewhere = crate::event::Connect { dport: connect.dport + 1, ..waited.clone() };
    for connect in [connect, waited, elsewhere] {
        let row = FoldedRow::of(&connect);
        listen.observe(&Event::Connect(connect));
        listen.connected(&row);
    }
    let slow = listen.tick().slow;
    assert_eq!((slow.len(), slow[0].connects, slow[0].retransmits), (1, 1, 2));
    assert_eq!((slow[0].max_ns, slow[0].cause), (Some(3_000_000_000), DropCause::AcceptQueue));
    assert!(listen.tick().slow.is_empty());
    assert_eq!(listen.total().slow.len(), 1);
}
