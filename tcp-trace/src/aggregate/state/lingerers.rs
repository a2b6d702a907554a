// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sockets of inventories by state, and those that have been in CLOSE_WAIT since an earlier inventory, identified
//! by the kernel's socket cookie.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use tcp_trace_common::tcp_state;

use super::{Now, number};
use crate::{
    event::Side,
    inventory::{
        Inventory,
        socket::{Socket, State},
    },
    model::peer::{Peer, Who},
};

/// A socket that is in CLOSE_WAIT for less than this is about to be closed.
pub const LONG_NS: u64 = 2_000_000_000;
/// Number of rows that are counted separately.
const ROWS: usize = 4_096;
/// Number of sockets that are remembered between inventories.
const REMEMBERED: usize = 1 << 17;

#[derive(Debug, Default)]
pub(super) struct Lingerers {
    found: HashMap<Peer, Now, RandomState>,
    names: HashMap<Peer, Who, RandomState>,
    /// Sockets in CLOSE_WAIT at the first inventory of a row.
    first: HashMap<Peer, u64, RandomState>,
    /// Sockets in CLOSE_WAIT, with the time at which they were first seen there.
    since: HashMap<u64, u64, RandomState>,
    orphans: Option<u64>,
    /// Times of the first and the last inventory.
    times: Option<(u64, u64)>,
}

impl Lingerers {
    pub(super) fn survey(&mut self, inventory: &Inventory) {
        let now_ns = inventory.begin_ns;
        self.times = Some((self.times.map_or(now_ns, |(first_ns, _)| first_ns), now_ns));
        self.found.clear();
        let mut still: HashMap<u64, u64, RandomState> = HashMap::default();
        let mut orphans = None;
        for space in &inventory.spaces {
            let services: HashSet<u16, RandomState> = space
                .sockets
                .iter()
                .filter(|socket| socket.state == State::Listen)
                .map(|socket| socket.sport)
                .collect();
            for socket in space.sockets.iter().filter(|socket| is_connection(socket)) {
                let owner = inventory.owners.of(socket);
                let peer = peer(socket, owner.map(|owner| owner.pid), &services);
                if self.found.len() >= ROWS && !self.found.contains_key(&peer) {
                    continue;
                }
                if let Some(owner) = owner {
                    self.names
                        .entry(peer)
                        .or_insert_with(|| Who { comm: Some(owner.comm), cgroup: owner.cgroup.clone() });
                }
                let now = self.found.entry(peer).or_default();
                now.states[usize::from(number(socket.state))] += 1;
                if socket.state == State::FinWait2 && socket.inode.is_none() && !socket.is_minisocket() {
                    now.orphaned += 1;
                }
                if socket.state == State::CloseWait && still.len() < REMEMBERED {
                    let since_ns = self.since.get(&socket.cookie).copied().unwrap_or(now_ns);
                    still.insert(socket.cookie, since_ns);
                    let age_ns = now_ns.saturating_sub(since_ns);
                    if age_ns >= LONG_NS {
                        now.stuck += 1;
                        now.stuck_max_ns = now.stuck_max_ns.max(age_ns);
                    }
                }
            }
            // The counter covers the whole machine, whichever namespace shows it.
            orphans = orphans.or_else(|| space.counters.sockstat("TCP:", "orphan"));
        }
        self.since = still;
        self.orphans = orphans;
        for (peer, now) in &mut self.found {
            let close_wait = now.states[usize::from(tcp_state::CLOSE_WAIT)];
            now.close_wait_first = if self.first.len() < ROWS {
                *self.first.entry(*peer).or_insert(close_wait)
            } else {
                self.first.get(peer).copied().unwrap_or(close_wait)
            };
        }
        let found = &self.found;
        self.names.retain(|peer, _| found.contains_key(peer));
    }

    pub(super) fn found(&self) -> impl Iterator<Item = (Peer, Now)> {
        self.found.iter().map(|(peer, now)| (*peer, *now))
    }

    pub(super) fn who(&self, peer: &Peer) -> Who {
        self.names.get(peer).cloned().unwrap_or_default()
    }

    pub(super) fn orphans(&self) -> Option<u64> {
        self.orphans
    }

    pub(super) fn surveyed(&self) -> bool {
        self.times.is_some()
    }

    pub(super) fn surveyed_for_ns(&self) -> u64 {
        self.times.map_or(0, |(first_ns, last_ns)| last_ns.saturating_sub(first_ns))
    }
}

/// Whether the socket is a connection. Listeners, bound sockets and requests have no peer; TIME_WAIT has a report of
/// its own.
fn is_connection(socket: &Socket) -> bool {
    !matches!(socket.state, State::Listen | State::Bound | State::SynRecv | State::TimeWait)
}

fn peer(socket: &Socket, pid: Option<u32>, services: &HashSet<u16, RandomState>) -> Peer {
    let accepted = services.contains(&socket.sport);
    let (side, address, port) = if accepted {
        (Side::Accepted, socket.saddr, socket.sport)
    } else {
        (Side::Opened, socket.daddr, socket.dport)
    };
    Peer { netns: socket.netns, pid, side, address, port }
}
