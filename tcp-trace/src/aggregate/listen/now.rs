// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listeners as they are, from inventories and from the kernel's own counters.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Endpoint;
use crate::{
    aggregate::tally::Process,
    inventory::{Inventory, Space, netstat::NetStat, socket::State},
};

/// The present sockets of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Number of listening sockets.
    pub members: u64,
    /// Sockets that a lookup visits one by one: one per device. Several on one device are a SO_REUSEPORT group, and
    /// count as one.
    pub chain: u64,
    /// Connections that wait for `accept()`, on all sockets.
    pub accept_queue: u64,
    /// The longest accept queue of one socket.
    pub fullest: u64,
    /// Limit of each queue of each socket, the smallest.
    pub limit: u64,
    /// Handshakes in progress.
    pub syn_queue: u64,
    /// The process that holds the socket.
    pub owner: Option<Process>,
}

impl Now {
    /// Fill of the longest accept queue, as a fraction of its limit.
    pub(super) fn fill(&self) -> f64 {
        self.fullest as f64 / (self.limit + 1) as f64
    }
}

/// The kernel's own counters of one namespace; `None`: this kernel has no such counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceCounters {
    /// Inode of the network namespace.
    pub netns: u32,
    /// `ListenOverflows`: connections that found an accept queue full.
    pub overflows: Option<u64>,
    /// `ListenDrops`: drops by listeners, for any reason.
    pub drops: Option<u64>,
    /// `TCPReqQFullDoCookies`: SYNs answered with a cookie because a SYN queue was full.
    pub full_cookies: Option<u64>,
    /// `TCPReqQFullDrop`: SYNs dropped because a SYN queue was full.
    pub full_drops: Option<u64>,
}

impl SpaceCounters {
    fn read(netns: u32, counters: &NetStat) -> Self {
        Self {
            netns,
            overflows: counters.tcp_ext("ListenOverflows"),
            drops: counters.tcp_ext("ListenDrops"),
            full_cookies: counters.tcp_ext("TCPReqQFullDoCookies"),
            full_drops: counters.tcp_ext("TCPReqQFullDrop"),
        }
    }

    fn since(&self, before: &Self) -> Self {
        let change = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Self {
            netns: self.netns,
            overflows: change(self.overflows, before.overflows),
            drops: change(self.drops, before.drops),
            full_cookies: change(self.full_cookies, before.full_cookies),
            full_drops: change(self.full_drops, before.full_drops),
        }
    }
}

type Counters = BTreeMap<u32, SpaceCounters>;

/// Inventories at the start of the interval and of the run, and the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct ListenerSamples {
    listeners: BTreeMap<Endpoint, Now>,
    first: Counters,
    before: Counters,
    counters: Counters,
}

impl ListenerSamples {
    pub(super) fn take(&mut self, inventory: &Inventory) {
        self.listeners.clear();
        self.counters.clear();
        for space in &inventory.spaces {
            let netns = space.namespace.inode;
            let counters = SpaceCounters::read(netns, &space.counters);
            self.counters.insert(netns, counters);
            // A namespace that appears later begins here: its earlier counts are not part of this run.
            self.first.entry(netns).or_insert(counters);
            self.before.entry(netns).or_insert(counters);
            self.listen(inventory, space);
            self.handshakes(space);
        }
    }

    fn listen(&mut self, inventory: &Inventory, space: &Space) {
        let mut devices = BTreeSet::new();
        for socket in space.sockets.iter().filter(|socket| socket.state == State::Listen) {
            let endpoint = Endpoint { netns: socket.netns, saddr: socket.saddr, sport: socket.sport };
            let (waiting, limit) = (socket.recv_queue.into(), socket.send_queue.into());
            let now = self.listeners.entry(endpoint).or_insert_with(|| Now {
                members: 0,
                chain: 0,
                accept_queue: 0,
                fullest: 0,
                limit,
                syn_queue: 0,
                owner: None,
            });
            now.members += 1;
            now.chain += u64::from(devices.insert((endpoint, socket.device)));
            now.accept_queue += u64::from(socket.recv_queue);
            now.fullest = now.fullest.max(waiting);
            now.limit = now.limit.min(limit);
            let owner = inventory.owners.of(socket).map(|owner| Process { pid: owner.pid, comm: owner.comm });
            now.owner = now.owner.or(owner);
        }
    }

    /// Counts handshakes. A request has its local address, not its listener: a listener on that address precedes one on
    /// any address.
    fn handshakes(&mut self, space: &Space) {
        for socket in space.sockets.iter().filter(|socket| socket.state == State::SynRecv) {
            let (v4, v6) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
            let of_family = if socket.saddr.is_ipv4() { v4 } else { v6 };
            for saddr in [socket.saddr, of_family, v6] {
                let endpoint = Endpoint { netns: socket.netns, saddr, sport: socket.sport };
                if let Some(now) = self.listeners.get_mut(&endpoint) {
                    now.syn_queue += 1;
                    break;
                }
            }
        }
    }

    pub(super) fn listeners(&self) -> &BTreeMap<Endpoint, Now> {
        &self.listeners
    }

    pub(super) fn interval(&self) -> Vec<SpaceCounters> {
        self.since(&self.before)
    }

    pub(super) fn total(&self) -> Vec<SpaceCounters> {
        self.since(&self.first)
    }

    pub(super) fn tick(&mut self) {
        self.before.clone_from(&self.counters);
    }

    fn since(&self, before: &Counters) -> Vec<SpaceCounters> {
        let now = self.counters.values();
        now.filter_map(|now| Some(now.since(before.get(&now.netns)?))).collect()
    }
}
