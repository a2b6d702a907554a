// SPDX-License-Identifier: MIT OR Apache-2.0
//! Call paths that lead to `connect()`, and the weight of their attempts.
//!
//! A stack arrives first and waits for its attempt, which has the duration and the destination.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use tcp_trace_common::stack::ON_CPU_PERIOD_NS;

use super::tally::{Destination, Process};
use crate::{
    event::{Connect, Event, Frames, Outcome, Stack, Taken},
    outside::Text,
};

/// Number of rows; beyond it, new call paths are added up by process, without their frames.
const ROWS: usize = 16_384;
/// Number of attempts whose stack waits for them, in each of two generations; a full one replaces the older.
const WAITING: usize = 32_768;

/// Weights of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Number of attempts.
    pub connects: u64,
    /// Time in the port search, in ns.
    pub search_ns: u64,
    /// Ports visited.
    pub ports_visited: u64,
    /// Time from the SYN to the end of the attempt, in ns.
    pub handshake_ns: u64,
    /// Time on a CPU in ns, from samples every [`ON_CPU_PERIOD_NS`].
    pub on_cpu_ns: u64,
    /// Attempts with an unknown time in the search.
    pub search_unknown: u64,
    /// Attempts with an unknown number of visited ports.
    pub visited_unknown: u64,
    /// Attempts with an unknown handshake time.
    pub handshake_unknown: u64,
}

impl Weights {
    fn observe(&mut self, connect: &Connect) {
        let add = |sum: &mut u64, unknown: &mut u64, value: Option<u64>| match value {
            Some(value) => *sum = sum.saturating_add(value),
            None => *unknown += 1,
        };
        self.connects += 1;
        add(&mut self.search_ns, &mut self.search_unknown, connect.port_search_ns);
        add(&mut self.ports_visited, &mut self.visited_unknown, connect.ports_visited.map(u64::from));
        add(&mut self.handshake_ns, &mut self.handshake_unknown, connect.handshake_ns);
    }

    /// Adds the weights of `other`.
    pub fn merge(&mut self, other: &Self) {
        let sums = [
            (&mut self.connects, other.connects),
            (&mut self.search_ns, other.search_ns),
            (&mut self.ports_visited, other.ports_visited),
            (&mut self.handshake_ns, other.handshake_ns),
            (&mut self.on_cpu_ns, other.on_cpu_ns),
            (&mut self.search_unknown, other.search_unknown),
            (&mut self.visited_unknown, other.visited_unknown),
            (&mut self.handshake_unknown, other.handshake_unknown),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
    }
}

/// The call path of an attempt, or why it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Known frames.
    Known(Arc<Frames>),
    /// The attempt never reached the port search, where stacks are taken.
    NeverSearched,
    /// The attempt began before stacks were taken.
    Early,
    /// The stack was lost or shed.
    Lost,
    /// There was no room for another call path.
    NoRoom,
}

/// Process, destination and call path of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Process.
    pub process: Process,
    /// Path of its cgroup v2.
    pub cgroup: Option<Text>,
    /// Destination of the attempts.
    pub destination: Destination,
    /// Call path of the attempts.
    pub path: Path,
}

/// All call paths of a run.
#[derive(Clone, Debug, Default)]
pub struct StacksSnapshot {
    /// Call paths with their weights, unordered.
    pub rows: Vec<(Key, Weights)>,
    /// Stacks without an event of their attempt.
    pub unjoined: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    search: Option<Arc<Frames>>,
    on_cpu: Vec<(Arc<Frames>, u64)>,
}

/// Thread id and start of the attempt, on the monotonic clock in ns.
type AttemptId = (u32, u64);

/// Joins stacks with their attempts.
#[derive(Debug, Default)]
pub struct StacksAggregate {
    rows: HashMap<Key, Weights, RandomState>,
    waiting: HashMap<AttemptId, Waiting, RandomState>,
    waiting_longer: HashMap<AttemptId, Waiting, RandomState>,
    unjoined: u64,
    begin_ns: u64,
}

impl StacksAggregate {
    /// Stacks are taken from `begin_ns` of the monotonic clock on.
    pub fn new(begin_ns: u64) -> Self {
        Self { begin_ns, ..Self::default() }
    }

    /// Consumes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Stack(stack) => self.wait(stack),
            Event::Connect(connect) => self.join(connect),
            _ => {}
        }
    }

    /// The snapshot of everything since the start.
    pub fn total(&self) -> StacksSnapshot {
        let waiting = (self.waiting.len() + self.waiting_longer.len()) as u64;
        StacksSnapshot {
            rows: self.rows.iter().map(|(key, weights)| (key.clone(), *weights)).collect(),
            unjoined: self.unjoined + waiting,
        }
    }

    fn wait(&mut self, stack: &Stack) {
        if self.waiting.len() >= WAITING {
            let older = std::mem::replace(&mut self.waiting_longer, std::mem::take(&mut self.waiting));
            self.unjoined += older.len() as u64;
        }
        let waiting = self.waiting.entry((stack.tid, stack.began_ns)).or_default();
        match stack.taken {
            Taken::Search => waiting.search = Some(Arc::clone(&stack.frames)),
            Taken::OnCpu => match waiting.on_cpu.iter_mut().find(|(frames, _)| *frames == stack.frames) {
                Some((_, samples)) => *samples += 1,
                None => waiting.on_cpu.push((Arc::clone(&stack.frames), 1)),
            },
        }
    }

    fn join(&mut self, connect: &Connect) {
        let id = connect.began_ns.map(|began_ns| (connect.caller.tid, began_ns));
        let found = [&mut self.waiting, &mut self.waiting_longer].map(|map| id.and_then(|id| map.remove(&id)));
        let found = found.into_iter().flatten().reduce(|mut newer, older| {
            newer.search = newer.search.or(older.search);
            newer.on_cpu.extend(older.on_cpu);
            newer
        });
        let Waiting { search, on_cpu } = found.unwrap_or_default();
        let path = match search {
            Some(frames) => Path::Known(frames),
            None if never_searched(connect) => Path::NeverSearched,
            None if connect.began_ns.is_some_and(|began_ns| began_ns < self.begin_ns) => Path::Early,
            None => Path::Lost,
        };
        self.row(connect, path).observe(connect);
        for (frames, samples) in on_cpu {
            self.row(connect, Path::Known(frames)).on_cpu_ns += samples * ON_CPU_PERIOD_NS;
        }
    }

    fn row(&mut self, connect: &Connect, path: Path) -> &mut Weights {
        let caller = &connect.caller;
        let mut key = Key {
            process: Process { pid: caller.pid, comm: caller.comm },
            cgroup: caller.cgroup.as_ref().and_then(|cgroup| cgroup.path.clone()),
            destination: Destination { netns: connect.netns, daddr: connect.daddr, dport: connect.dport },
            path,
        };
        if self.rows.len() >= ROWS && !self.rows.contains_key(&key) {
            key.path = Path::NoRoom;
        }
        if self.rows.len() >= 2 * ROWS && !self.rows.contains_key(&key) {
            // There is no room even for processes and destinations: only the number of attempts is kept.
            let nobody = Process { pid: 0, comm: "".into() };
            let nowhere = Destination { netns: 0, daddr: std::net::Ipv4Addr::UNSPECIFIED.into(), dport: 0 };
            key = Key { process: nobody, cgroup: None, destination: nowhere, path: Path::NoRoom };
        }
        self.rows.entry(key).or_default()
    }
}

/// Whether the attempt failed before the search: denied, or no route.
fn never_searched(connect: &Connect) -> bool {
    connect.port_search_ns.is_none()
        && matches!(connect.outcome, Outcome::Denied | Outcome::Unreachable | Outcome::PortInUse)
}

#[cfg(test)]
mod tests;
