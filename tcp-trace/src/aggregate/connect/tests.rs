// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interval and total from the same attempts.

use super::*;
use crate::aggregate::sample::{established, no_port, second_pass};
use crate::event::SourcePort;

#[test]
fn outcomes_are_in_their_own_order() {
    for (index, outcome) in OUTCOMES.into_iter().enumerate() {
        assert_eq!(outcome as usize, index);
    }
}

#[test]
fn the_total_is_the_sum_of_the_intervals() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.observe(&established());
    aggregate.observe(&second_pass());
    let first = aggregate.tick();
    assert_eq!((first.connects, first.second_pass, first.second_pass_known), (2, 1, 2));
    aggregate.observe(&no_port());
    let second = aggregate.tick();
    assert_eq!((second.connects, second.ended(Outcome::NoPort)), (1, 1));
    assert_eq!((second.handshake.count, second.handshake.p50), (0, None));
    aggregate.observe(&established());
    let total = aggregate.total();
    assert_eq!(total.connects, 4);
    assert_eq!(total.ports_visited.max, Some(28_232));
    assert_eq!(total.port_search.count, 4);
    let tally = &total.destinations[0].value;
    assert_eq!((tally.connects, tally.failures, tally.no_port, tally.exhausted), (4, 1, 1, 1));
    assert_eq!((tally.second_pass, tally.second_pass_known), (1, 4));
    assert_eq!(tally.second_pass_visited.mean(), Some(14_150));
}

#[test]
fn a_bound_socket_exhausts_nothing() {
    let mut aggregate = ConnectAggregate::default();
    let bound = Connect { source_port: Some(SourcePort::Bound), second_pass: None, ports_visited: None, ..no_port() };
    aggregate.observe(&bound);
    let tally = &aggregate.total().destinations[0].value;
    assert_eq!((tally.no_port, tally.exhausted), (1, 0));
}

#[test]
fn the_worst_come_first() {
    let mut aggregate = ConnectAggregate::default();
    (0..5).for_each(|_| aggregate.observe(&Connect { dport: 80, ..established() }));
    aggregate.observe(&second_pass());
    let ports: Vec<u16> = aggregate.tick().destinations.iter().map(|row| row.key.dport).collect();
    assert_eq!(ports, [3306, 80]);
}

#[test]
fn what_came_without_events_counts_too() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.observe(&established());
    let mut folded = Folded { second_pass: 1, second_pass_known: 2, ..Folded::default() };
    folded.by_outcome[Outcome::Refused as usize] = 2;
    folded.phases[1].buckets = vec![0; tcp_trace_common::folded::BUCKETS];
    folded.phases[1].buckets[tcp_trace_common::folded::bucket(70_000)] = 2;
    folded.phases[1].max = 70_000;
    aggregate.observe_folded(&folded);
    aggregate.observe_unknown(4);
    let interval = aggregate.tick();
    assert_eq!((interval.connects, interval.told, interval.outcome_unknown), (7, 1, 4));
    assert_eq!((interval.ended(Outcome::Refused), interval.ended(Outcome::Established)), (2, 1));
    assert_eq!((interval.handshake.count, interval.handshake.max), (3, Some(70_000)));
    assert_eq!((interval.second_pass, interval.second_pass_known), (1, 3));
    assert!(interval.destinations.iter().all(|row| row.at_least));
    let total = aggregate.total();
    assert_eq!((total.connects, total.told, total.handshake.count), (7, 1, 3));
    assert_eq!((aggregate.tick().connects, aggregate.total()), (0, total));
}
