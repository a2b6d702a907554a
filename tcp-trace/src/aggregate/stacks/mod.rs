// SPDX-License-Identifier: MIT OR Apache-2.0
//! Call paths that lead to `connect()`, and what the attempts that came by them weigh.
//!
//! A stack comes first and waits for its attempt, which says how long it took and where it went.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use tcp_trace_common::stack::ON_CPU_PERIOD_NS;

use super::tally::{Destination, Process};
use crate::{
    event::{Connect, Event, Frames, Outcome, Stack, Taken},
    outside::Text,
};

/// Rows; above this many, those that are new are added up by process, without their frames.
const ROWS: usize = 16_384;
/// Attempts whose stack waits for them, in each of two halves: a full one takes the place of the older.
const WAITING: usize = 32_768;

/// What attempts weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Attempts.
    pub connects: u64,
    /// Time in the port search.
    pub search_ns: u64,
    /// Ports visited.
    pub ports_visited: u64,
    /// Time from SYN to the end.
    pub handshake_ns: u64,
    /// Time on a CPU, in samples of [`ON_CPU_PERIOD_NS`].
    pub on_cpu_ns: u64,
    /// Attempts of which the time in the search is not known.
    pub search_unknown: u64,
    /// Attempts of which the number of ports visited is not known.
    pub visited_unknown: u64,
    /// Attempts of which the time of the handshake is not known.
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

    /// Adds others.
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

/// By which way an attempt came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// By these frames.
    Known(Arc<Frames>),
    /// It never came to the port search, where stacks are taken.
    NeverSearched,
    /// It began before stacks were taken.
    Early,
    /// Its stack was lost or shed.
    Lost,
    /// There was no room for one more.
    NoRoom,
}

/// Whose attempts, towards where, by which way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Process.
    pub process: Process,
    /// Path of its cgroup v2.
    pub cgroup: Option<Text>,
    /// Destination.
    pub destination: Destination,
    /// Way.
    pub path: Path,
}

/// All call paths.
#[derive(Clone, Debug, Default)]
pub struct StacksSnapshot {
    /// In no order.
    pub rows: Vec<(Key, Weights)>,
    /// Stacks whose attempt was never told of.
    pub unjoined: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    search: Option<Arc<Frames>>,
    on_cpu: Vec<(Arc<Frames>, u64)>,
}

/// A thread, and when its attempt began.
type AttemptId = (u32, u64);

/// The stack signal.
#[derive(Debug, Default)]
pub struct StacksAggregate {
    rows: HashMap<Key, Weights, RandomState>,
    waiting: HashMap<AttemptId, Waiting, RandomState>,
    waiting_longer: HashMap<AttemptId, Waiting, RandomState>,
    unjoined: u64,
    begin_ns: u64,
}

impl StacksAggregate {
    /// Stacks are taken from this moment of the monotonic clock on.
    pub fn new(begin_ns: u64) -> Self {
        Self { begin_ns, ..Self::default() }
    }

    /// Takes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Stack(stack) => self.wait(stack),
            Event::Connect(connect) => self.join(connect),
            _ => {}
        }
    }

    /// Everything since the start.
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
            // Not even room for processes and destinations: what is left of an attempt is that there was one.
            let nobody = Process { pid: 0, comm: "".into() };
            let nowhere = Destination { netns: 0, daddr: std::net::Ipv4Addr::UNSPECIFIED.into(), dport: 0 };
            key = Key { process: nobody, cgroup: None, destination: nowhere, path: Path::NoRoom };
        }
        self.rows.entry(key).or_default()
    }
}

/// It failed on its way there: forbidden, or no route.
fn never_searched(connect: &Connect) -> bool {
    connect.port_search_ns.is_none()
        && matches!(connect.outcome, Outcome::Denied | Outcome::Unreachable | Outcome::PortInUse)
}

#[cfg(test)]
mod tests;
