// SPDX-License-Identifier: MIT OR Apache-2.0
//! The listen signal: what happened to the SYNs of each listener, how full its queues were and are, and which
//! handshakes waited for it.

mod counts;
mod now;
mod slow;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use foldhash::fast::RandomState;
use tcp_trace_common::listen::{RawListener, RawListenerKey};

pub use self::counts::ListenCounts;
pub use self::now::{Now, SpaceCounters};
pub use self::slow::SlowHandshakes;
use self::{now::ListenerSamples, slow::Slow};
use super::tally::Process;
use crate::{
    event::{Comm, Event},
    inventory::Inventory,
    model::folded::FoldedRow,
    source::retired::carry,
};

/// Number of rows in a snapshot; further listeners are only counted.
const ROWS: usize = 1024;

/// An address and port with a listener: one socket, or all sockets of a SO_REUSEPORT group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Inode of the network namespace.
    pub netns: u32,
    /// Local address; unspecified means any address.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: u16,
}

impl Endpoint {
    /// The endpoint as `0.0.0.0:8080`.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.saddr, self.sport)
    }
}

/// What is known about an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its present state; `None`: no socket listens there any more, or sockets were not read.
    pub now: Option<Now>,
    /// Its SYNs in this time; `None`: not traced.
    pub counts: Option<ListenCounts>,
    /// The highest number of connections waiting for `accept()` on one of its sockets since tracing began.
    pub accept_high: Option<u64>,
    /// The highest number of handshakes in progress since tracing began.
    pub syn_high: Option<u64>,
    /// The backlog passed to `listen()`, if it was called during tracing.
    pub asked: Option<u64>,
    /// For a group: the share of the busiest socket, as a multiple of its fair share.
    pub skew: Option<f64>,
    /// The process that accepts, or holds the socket.
    pub owner: Option<Process>,
}

/// State of the listen signal for an interval or a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListenSnapshot {
    /// Listeners with drops first, then the busiest.
    pub listeners: Vec<Listener>,
    /// Number of listeners beyond `listeners`.
    pub beyond: u64,
    /// Whether programs traced listeners; otherwise there are only the counters of whole namespaces.
    pub traced: bool,
    /// The kernel's own counters, by namespace.
    pub spaces: Vec<SpaceCounters>,
    /// Handshakes of this machine that waited because a listener of this machine dropped their SYNs.
    pub slow: Vec<SlowHandshakes>,
}

/// Keeps totals and inventories, to compute differences.
#[derive(Clone, Debug, Default)]
pub struct ListenAggregate {
    totals: HashMap<RawListenerKey, RawListener, RandomState>,
    /// The totals at the start of the interval.
    before: HashMap<RawListenerKey, RawListener, RandomState>,
    traced: bool,
    look: ListenerSamples,
    slow: Slow,
}

impl ListenAggregate {
    /// Consumes one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::ListenDrop(dropped) => self.slow.dropped(dropped),
            Event::Connect(connect) => self.slow.waited(connect),
            _ => {}
        }
    }

    /// Consumes a row of connects.
    pub fn connected(&mut self, row: &FoldedRow) {
        self.slow.connected(row);
    }

    /// Takes the totals of the kernel side, counted since the start: where they are, programs see listeners. The list is
    /// complete: a missing listener was merged into another one (`merged`).
    pub fn enter(&mut self, totals: &[(RawListenerKey, RawListener)], merged: &[(RawListenerKey, RawListenerKey)]) {
        carry(&mut self.before, merged);
        self.traced = true;
        self.totals.clear();
        self.totals.extend(totals.iter().copied());
    }

    /// Consumes an inventory of the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        self.look.take(inventory);
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> ListenSnapshot {
        let answer = self.answer(&self.before, self.look.interval(), self.slow.interval());
        self.before.clone_from(&self.totals);
        self.look.tick();
        self.slow.tick();
        answer
    }

    /// The snapshot of everything since the start.
    pub fn total(&self) -> ListenSnapshot {
        self.answer(&HashMap::default(), self.look.total(), self.slow.total())
    }

    fn answer(
        &self,
        before: &HashMap<RawListenerKey, RawListener, RandomState>,
        spaces: Vec<SpaceCounters>,
        slow: Vec<SlowHandshakes>,
    ) -> ListenSnapshot {
        let mut groups: BTreeMap<Endpoint, Group> = BTreeMap::new();
        for (endpoint, now) in self.look.listeners() {
            groups.entry(*endpoint).or_default().now = Some(*now);
        }
        for (key, totals) in &self.totals {
            let counts = ListenCounts::between(before.get(key), totals);
            groups.entry(endpoint(key)).or_default().add(counts, totals);
        }
        let rows = groups.into_iter().filter_map(|(endpoint, group)| group.row(endpoint, self.traced));
        let mut listeners: Vec<Listener> = rows.collect();
        listeners.sort_by(|left, right| right.weight().total_cmp(&left.weight()));
        let beyond = listeners.len().saturating_sub(ROWS) as u64;
        listeners.truncate(ROWS);
        ListenSnapshot { listeners, beyond, traced: self.traced, spaces, slow }
    }
}

fn endpoint(key: &RawListenerKey) -> Endpoint {
    let saddr = Ipv6Addr::from(key.saddr.octets()).to_canonical();
    Endpoint { netns: key.netns, saddr, sport: key.port }
}

/// The sockets of an endpoint, while its row is built.
#[derive(Default)]
struct Group {
    now: Option<Now>,
    counts: ListenCounts,
    /// Number of connections that each socket got, for sockets that got any.
    queued: Vec<u64>,
    accept_high: Option<u64>,
    syn_high: Option<u64>,
    asked: Option<u64>,
    owner: Option<Process>,
}

impl Group {
    fn add(&mut self, counts: ListenCounts, totals: &RawListener) {
        self.counts.add(&counts);
        self.queued.push(counts.queued);
        self.accept_high = self.accept_high.max(Some(totals.accept_high.into()));
        self.syn_high = self.syn_high.max(Some(totals.syn_high.into()));
        self.asked = (totals.asked != u32::MAX).then_some(totals.asked.into()).or(self.asked);
        if totals.owner_tgid != 0 {
            self.owner = Some(Process { pid: totals.owner_tgid, comm: Comm::from_kernel(&totals.owner_comm) });
        }
    }

    /// The row; `None` if the endpoint is gone and had no SYN.
    fn row(self, endpoint: Endpoint, traced: bool) -> Option<Listener> {
        if self.now.is_none() && self.counts == ListenCounts::default() {
            return None;
        }
        // Sockets on several devices do not share connections as a group does.
        let members = self.now.filter(|now| now.chain == 1).map_or(1, |now| now.members);
        let most = self.queued.iter().copied().max().unwrap_or(0);
        let skew =
            (members > 1 && self.counts.queued > 0).then(|| most as f64 * members as f64 / self.counts.queued as f64);
        let holder = self.now.and_then(|now| now.owner);
        Some(Listener {
            endpoint,
            counts: traced.then_some(self.counts),
            accept_high: self.accept_high,
            syn_high: self.syn_high,
            asked: self.asked,
            skew,
            owner: self.owner.or(holder),
            now: self.now,
        })
    }
}

impl Listener {
    /// Sort key: drops first, then the fill of the accept queue, then the rate of SYNs.
    fn weight(&self) -> f64 {
        let counts = self.counts.unwrap_or_default();
        let fill = self.now.as_ref().map_or(0.0, Now::fill);
        counts.dropped() as f64 * 1e9 + counts.cookies as f64 * 1e6 + fill * 1e5 + counts.queued.min(1 << 16) as f64
    }
}
