// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests: interval and total from the same attempts.

use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::sample::{established, no_port, second_pass},
    event::{Caller, SourcePort},
};

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
fn recordings_from_before_there_were_rows_count_what_came_without_events_too() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.hear();
    aggregate.observe(&established());
    let mut folded = Folded { second_pass: 1, second_pass_known: 2, ..Folded::default() };
    folded.by_outcome[Outcome::Refused as usize] = 2;
    folded.phases[1].buckets = vec![0; tcp_trace_common::folded::BUCKETS];
    folded.phases[1].buckets[tcp_trace_common::folded::bucket(70_000)] = 2;
    folded.phases[1].max = 70_000;
    aggregate.observe_folded(&folded, false);
    aggregate.observe_unknown(4, 0);
    let interval = aggregate.tick();
    assert_eq!((interval.connects, interval.told, interval.outcome_unknown), (7, 1, 4));
    assert_eq!((interval.ended(Outcome::Refused), interval.ended(Outcome::Established)), (2, 1));
    assert_eq!((interval.handshake.count, interval.handshake.max), (3, Some(70_000)));
    assert_eq!((interval.second_pass, interval.second_pass_known), (1, 3));
    assert!(interval.destinations.iter().all(|row| row.at_least));
    assert_eq!((interval.other.destinations.connects, interval.other.destinations.refused), (2, 2));
    let total = aggregate.total();
    assert_eq!((total.connects, total.told, total.handshake.count), (7, 1, 3));
    assert_eq!((aggregate.tick().connects, aggregate.total()), (0, total));
}

fn row(pid: u32, started_ns: u64, dport: u16, connects: u64) -> FoldedRow {
    let connect = Connect { caller: Caller { pid, ..established().caller }, dport, ..established() };
    let mut row = FoldedRow { process_start_ns: started_ns, ..FoldedRow::of(&connect) };
    (1..connects).for_each(|_| row.counts.add(&connect));
    row
}

fn rows(rows: Vec<FoldedRow>) -> Folded {
    Folded { rows, ..Folded::default() }
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.observe_folded(&rows(vec![row(7, 100, 80, 3), row(7, 900, 80, 5), row(7, 900, 443, 1)]), true);
    let interval = aggregate.tick();
    let processes: Vec<_> =
        interval.processes.iter().map(|row| (row.key.pid, row.key.started_ns, row.value.connects)).collect();
    assert_eq!(processes, [(7, Some(900), 6), (7, Some(100), 3)]);
    assert_eq!((interval.programs.len(), interval.programs[0].key.processes), (1, 2));
    assert_eq!(interval.programs[0].value.connects, 9);
    // The processes are the same in the next interval.
    aggregate.observe_folded(&rows(vec![row(7, 900, 80, 1)]), true);
    assert_eq!(aggregate.tick().programs[0].key.processes, 1);
    assert_eq!(aggregate.total().programs[0].key.processes, 2);
}

#[test]
fn the_caller_of_a_destination_is_the_one_with_most_trouble() {
    let mut aggregate = ConnectAggregate::default();
    let mut walks = row(5, 1, 80, 2);
    (0..3).for_each(|_| walks.counts.add(&second_pass()));
    aggregate.observe_folded(&rows(vec![walks, row(6, 1, 80, 900), row(9, 1, 80, 1)]), true);
    let pid = |snapshot: ConnectSnapshot| snapshot.destinations[0].value.caller.map(|caller| caller.pid);
    assert_eq!(pid(aggregate.tick()), Some(5));
    aggregate.observe_folded(&rows(vec![row(7, 1, 80, 2), row(8, 1, 80, 1)]), true);
    assert_eq!(pid(aggregate.tick()), Some(7));
    assert_eq!(pid(aggregate.total()), Some(5));
}

#[test]
fn what_is_still_pending_is_of_the_process_that_its_rows_are_of() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.observe_folded(&rows(vec![row(7, 100, 80, 3)]), true);
    aggregate.tick();
    let caller = Caller { pid: 7, ..established().caller };
    aggregate.observe_pending(&Connect { caller, dport: 80, outcome: Outcome::Pending, ..established() });
    aggregate.observe_folded(&rows(vec![row(7, 900, 80, 5)]), true);
    let total = aggregate.total();
    let processes: Vec<_> = total.processes.iter().map(|row| (row.key.started_ns, row.value.connects)).collect();
    assert_eq!((processes, total.connects), (vec![(Some(900), 6), (Some(100), 3)], 9));
}

#[test]
fn many_short_processes_hide_no_heavy_one() {
    let mut aggregate = ConnectAggregate::default();
    let short = |pids: std::ops::Range<u32>| rows(pids.map(|pid| row(pid, u64::from(pid), 80, 1)).collect());
    for from in [10_000, 11_000, 12_000, 13_000] {
        aggregate.observe_folded(&short(from..from + 1000), true);
        aggregate.tick();
    }
    aggregate.observe_folded(&rows(vec![row(5, 5, 443, 300)]), true);
    let total = aggregate.total();
    let heavy = total.processes.iter().find(|row| row.key.pid == 5).expect("it has its row");
    assert_eq!(heavy.value.connects, 300);
    assert_eq!((total.programs[0].key.processes, total.programs[0].value.connects), (4001, 4300));
    assert!(!total.programs[0].at_least && !total.programs[0].key.processes_at_least);
    let kept: u64 = total.processes.iter().map(|row| row.value.connects).sum();
    assert_eq!(kept + total.other.processes.connects, 4300);
}

#[test]
fn a_sample_is_an_estimate() {
    let mut aggregate = ConnectAggregate::default();
    aggregate.observe_folded(&rows(vec![row(5, 5, 443, 100)]), true);
    assert_eq!(aggregate.tick().estimate(), None);
    aggregate.observe_unknown(700, 700);
    let estimate = aggregate.total().estimate().expect("most were not followed");
    assert_eq!((estimate.factor, estimate.error, estimate.of(50)), (8.0, 0.1, 400));
}

/// A step of a property test.
#[derive(Clone, Debug)]
enum Step {
    Rows(Vec<(u32, u16, u64)>, u64),
    Event(u32, u16),
    Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || (0..3000_u32, 0..3000_u16);
    let one = key().prop_flat_map(|(pid, port)| (Just(pid), Just(port), 1..5_u64));
    let step = prop_oneof![
        4 => (prop::collection::vec(one, 0..400), 0..4_u64).prop_map(|(rows, other)| Step::Rows(rows, other)),
        1 => key().prop_map(|(pid, port)| Step::Event(pid, port)),
        1 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn rows_and_others_are_all_that_was_made(steps in steps()) {
        let mut aggregate = ConnectAggregate::default();
        let (mut made, mut made_now) = (0, 0);
        let whole = |snapshot: &ConnectSnapshot, made: u64| {
            let sum = |rows: &mut dyn Iterator<Item = u64>, other: &Tally| rows.sum::<u64>() + other.connects;
            let sums = [
                sum(&mut snapshot.programs.iter().map(|row| row.value.connects), &snapshot.other.programs),
                sum(&mut snapshot.processes.iter().map(|row| row.value.connects), &snapshot.other.processes),
                sum(&mut snapshot.destinations.iter().map(|row| row.value.connects), &snapshot.other.destinations),
                snapshot.connects,
            ];
            assert_eq!(sums, [made; 4]);
            for top in [0, 5, 10_000] {
                let (_, other) = beyond(&snapshot.destinations, &snapshot.other.destinations, top);
                let listed: u64 = snapshot.destinations.iter().take(top).map(|row| row.value.connects).sum();
                assert_eq!(listed + other.connects, made);
            }
        };
        for step in steps {
            match step {
                Step::Rows(keys, other) => {
                    made_now += keys.iter().map(|(.., connects)| connects).sum::<u64>() + other;
                    let mut folded = rows(keys.into_iter().map(|(pid, port, n)| row(pid, 1, port, n)).collect());
                    (0..other).for_each(|_| folded.other.add(&no_port()));
                    aggregate.observe_folded(&folded, true);
                }
                Step::Event(pid, dport) => {
                    made_now += 1;
                    let caller = Caller { pid, ..established().caller };
                    aggregate.observe_pending(&Connect { caller, dport, outcome: Outcome::Pending, ..established() });
                }
                Step::Tick => {
                    whole(&aggregate.tick(), made_now);
                    made += std::mem::take(&mut made_now);
                }
            }
        }
        whole(&aggregate.total(), made + made_now);
    }
}
