// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that join stacks and attempts.

use super::*;
use crate::{aggregate::sample::established, event::Frame};

fn frames(name: &str) -> Arc<Frames> {
    let frame = |name: &str| Frame { name: name.into(), module: None };
    Arc::new(Frames { user: vec![frame("main"), frame(name)], ..Frames::default() })
}

fn stack(tid: u32, began_ns: u64, name: &str, taken: Taken) -> Event {
    let time = established().time;
    Event::Stack(Stack { time, pid: 7, tid, began_ns, taken, frames: frames(name), captured: None })
}

fn connect(tid: u32, began_ns: u64) -> Event {
    let mut connect = Connect { began_ns: Some(began_ns), port_search_ns: Some(1_000), ..established() };
    connect.caller.tid = tid;
    Event::Connect(connect)
}

fn of<'a>(snapshot: &'a StacksSnapshot, path: &Path) -> Option<&'a Weights> {
    snapshot.rows.iter().find(|(key, _)| key.path == *path).map(|(_, weights)| weights)
}

#[test]
fn a_stack_is_joined_with_its_own_attempt() {
    let mut aggregate = StacksAggregate::default();
    let events = [
        stack(1, 10, "a", Taken::Search),
        stack(2, 10, "b", Taken::Search),
        connect(2, 10),
        connect(1, 10),
        // The next attempt of the same thread, whose stack was lost.
        connect(1, 20),
        stack(3, 5, "c", Taken::Search),
    ];
    events.iter().for_each(|event| aggregate.observe(event));
    let total = aggregate.total();
    for name in ["a", "b"] {
        let weights = of(&total, &Path::Known(frames(name))).expect(name);
        assert_eq!((weights.connects, weights.search_ns), (1, 1_000));
    }
    assert_eq!(of(&total, &Path::Lost).map(|weights| weights.connects), Some(1));
    assert_eq!(total.unjoined, 1);
}

#[test]
fn samples_weigh_time_and_are_no_attempts() {
    let mut aggregate = StacksAggregate::default();
    let sample = stack(1, 10, "walk", Taken::OnCpu);
    for event in [&stack(1, 10, "call", Taken::Search), &sample, &sample, &connect(1, 10)] {
        aggregate.observe(event);
    }
    let total = aggregate.total();
    let walk = of(&total, &Path::Known(frames("walk"))).expect("a row of its own");
    assert_eq!((walk.connects, walk.on_cpu_ns), (0, 2 * ON_CPU_PERIOD_NS));
    assert_eq!(of(&total, &Path::Known(frames("call"))).map(|weights| weights.connects), Some(1));
}

#[test]
fn memory_is_bounded_and_sums_are_not_lost() {
    let mut aggregate = StacksAggregate::default();
    let all = 3 * ROWS as u64;
    for number in 0..all {
        aggregate.observe(&stack(1, number, &format!("f{number}"), Taken::Search));
        aggregate.observe(&connect(1, number));
    }
    let total = aggregate.total();
    assert!(total.rows.len() <= ROWS + 1);
    assert_eq!(total.rows.iter().map(|(_, weights)| weights.connects).sum::<u64>(), all);
    for number in 0..all {
        aggregate.observe(&stack(2, number, "f", Taken::Search));
    }
    assert!(aggregate.waiting.len() + aggregate.waiting_longer.len() <= 2 * WAITING);
}
