// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests from sockets to ports.

use std::net::{IpAddr, Ipv4Addr};

use super::{held::By, range::Halves, *};
use crate::{
    aggregate::sample::established,
    event::{Connect, SourcePort},
    inventory::{
        sample::{inventory, socket},
        socket::{Socket, State},
    },
    kernel::rules::Sysctls,
};

fn small(reserved: &str) -> Sysctls {
    Sysctls {
        netns: Some(1),
        ip_local_port_range: Some((40_000, 40_009)),
        ip_local_reserved_ports: Some(reserved.into()),
        tcp_tw_reuse: Some(1),
        tcp_timestamps: Some(1),
        ..Sysctls::default()
    }
}

fn of(sysctls: Sysctls, sockets: Vec<Socket>) -> Arc<PortsSnapshot> {
    let mut aggregate = PortsAggregate::default();
    aggregate.survey(&inventory(sysctls, sockets));
    aggregate.latest()
}

#[test]
fn each_port_is_counted_once_and_by_its_half() {
    let fresh = Socket { expires_ms: Some(59_900), ..socket(State::TimeWait, 40_004) };
    let sockets = vec![
        socket(State::Listen, 40_001),
        socket(State::Bound, 40_003),
        socket(State::Established, 40_000),
        socket(State::TimeWait, 40_002),
        fresh,
        socket(State::FinWait2, 40_005),
        // This port is reserved as well, and counts as taken.
        socket(State::SynSent, 40_009),
        socket(State::Established, 50_000),
    ];
    let ports = of(small("40009,40007"), sockets);
    let [group] = &ports.groups[..] else { panic!("{:?}", ports.groups) };
    let by = |by| group.held.by(by).both();
    assert_eq!((by(By::Established), by(By::Opening), by(By::Closing)), (1, 1, 1));
    assert_eq!((by(By::TimeWait), by(By::TimeWaitReusable)), (1, 1));
    assert_eq!((by(By::Reserved), by(By::Listening), by(By::Bound)), (1, 1, 1));
    // 40000, 40004 | 40001, 40003, 40005, 40007, 40009
    assert_eq!(group.held.taken(), Halves { first: 2, second: 5 });
    assert_eq!((group.held.to_cliff(group.range), group.held.to_exhaustion(group.range)), (Some(3), 3));
    assert_eq!((group.outside, group.taken.contains(40_002), group.taken.contains(40_004)), (1, false, true));
}

#[test]
fn many_destinations_share_a_port() {
    let elsewhere = Socket { dport: 80, ..socket(State::Established, 40_000) };
    let ports = of(small(""), vec![socket(State::Established, 40_000), elsewhere]);
    assert_eq!(ports.groups.len(), 2);
    assert!(ports.groups.iter().all(|group| group.held.taken().both() == 1));
    assert_eq!((ports.spaces[0].shared, ports.spaces[0].most_shared), (1, Some((40_000, 2))));
}

#[test]
fn what_was_accepted_is_no_client() {
    let accepted = |port| Socket { sport: 40_001, dport: port, ..socket(State::Established, 0) };
    let sockets = vec![socket(State::Listen, 40_001), accepted(50_000), accepted(50_001)];
    assert!(of(small(""), sockets).groups.is_empty());
}

#[test]
fn bound_is_not_known_where_it_is_not_listed() {
    let mut aggregate = PortsAggregate::default();
    let inventory = Inventory { lists_bound: Some(false), ..inventory(small(""), Vec::new()) };
    aggregate.survey(&inventory);
    assert_eq!(aggregate.latest().spaces[0].bound, None);
}

#[test]
fn a_range_of_the_socket_s_own() {
    let rules = SearchRules { socket_range_steps_by_one: true, ..SearchRules::default() };
    let mut aggregate = PortsAggregate::new(rules, Scope::default());
    let ours = Connect {
        netns: 1,
        daddr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        dport: 3306,
        source_port: Some(SourcePort::LocalRange),
        range: Some((40_002, 40_004)),
        ..established()
    };
    aggregate.observe(&FoldedRow::of(&ours));
    aggregate.survey(&inventory(small(""), vec![socket(State::Established, 40_003)]));
    let latest = aggregate.latest();
    let group = &latest.groups[0];
    assert_eq!((group.range.ports(), group.held.to_cliff(group.range)), (3, None));
    assert_eq!(group.held.to_exhaustion(group.range), 2);
}

#[test]
fn the_fullest_come_first_and_the_rest_is_counted() {
    let to = |dport: u16| (0..dport / 100).map(move |at| Socket { dport, ..socket(State::Established, 40_000 + at) });
    let sockets = (1..=70_u16).flat_map(|at| to(100 + at)).chain(to(900)).collect();
    let ports = of(small(""), sockets);
    assert_eq!((ports.groups[0].route.dport, ports.groups.len(), ports.more_groups), (900, 64, 7));
}

#[test]
fn only_what_is_asked_for() {
    use tcp_trace_common::config::{Config, filter};
    let config = Config { filters: filter::DPORT, dport: 80, ..Config::EMPTY };
    let mut aggregate = PortsAggregate::new(SearchRules::default(), Scope::of(&config));
    let elsewhere = Socket { dport: 80, ..socket(State::Established, 40_001) };
    aggregate.survey(&inventory(small(""), vec![socket(State::Established, 40_000), elsewhere]));
    let latest = aggregate.latest();
    assert_eq!((latest.groups.len(), latest.groups[0].route.dport), (1, 80));
}

#[test]
fn marked_ports_are_taken_from_everybody() {
    let mark =
        |port| tcp_trace_common::bind::RawMark { port, fastreuse: 0, fastreuseport: 0, state: 1, userlocks: 0, pad: 0 };
    let mut inventory = inventory(small(""), vec![socket(State::Established, 40_000)]);
    inventory.spaces[0].marks = Some(vec![mark(40_000), mark(40_001), mark(50_000)]);
    let mut aggregate = PortsAggregate::default();
    aggregate.survey(&inventory);
    let latest = aggregate.latest();
    assert_eq!(latest.groups[0].held.by(By::Marked), Halves { first: 0, second: 1 });
    assert_eq!(latest.spaces[0].marked, Some(2));
}
