// SPDX-License-Identifier: MIT OR Apache-2.0
//! Local ports per network namespace, source and destination: what takes them, how many are left, how fast they go.
//!
//! A port is free for a connect unless the same four-tuple exists (TIME_WAIT that may be taken over apart), or the port
//! is reserved, or carries the mark of a `bind()`, a listener's for one: then it is shared with nobody. So one port serves many destinations, and
//! each source and destination has a range of its own to use up.

pub mod common;
mod growth;
pub mod held;
pub mod port_set;
pub mod range;
pub mod reuse;
mod survey;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use foldhash::fast::RandomState;

pub use self::growth::Growth;
use self::{growth::History, held::Held, port_set::PortSet, range::Range, reuse::Reuse};
use super::tally::Destination;
use crate::{
    inventory::{Inventory, owners::Owner, socket::Socket},
    kernel::rules::SearchRules,
    model::{folded::FoldedRow, scope::Scope},
};

/// Destinations of which it is remembered that their callers set IP_LOCAL_PORT_RANGE.
const SOCKET_RANGES: usize = 1024;

/// Whose range it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// Inode of the network namespace.
    pub netns: u32,
    /// Local address.
    pub saddr: IpAddr,
    /// Remote address.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
}

/// One source and destination.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which.
    pub route: Route,
    /// Searched by its connects.
    pub range: Range,
    /// Ports of the range by what takes them.
    pub held: Held,
    /// Ports of the range that a search cannot have.
    pub taken: PortSet,
    /// Connections from ports outside the range.
    pub outside: u32,
    /// When TIME_WAIT may be taken over.
    pub reuse: Reuse,
    /// How the number of taken ports changes.
    pub growth: Option<Growth>,
    /// Who holds most of these sockets, and how many. TIME_WAIT is held by nobody.
    pub owner: Option<(Arc<Owner>, u32)>,
}

/// One network namespace.
#[derive(Clone, Debug)]
pub struct PortSpace {
    /// Its inode.
    pub netns: u32,
    /// `net.ipv4.ip_local_port_range`.
    pub range: Option<Range>,
    /// Ports of the range that are reserved.
    pub reserved: u32,
    /// Ports of the range that are listened on.
    pub listening: u32,
    /// Ports of the range that are bound and no more; `None`: this kernel does not list them.
    pub bound: Option<u32>,
    /// Ports of the range that carry the mark of a `bind()`, listeners' included; `None`: not to be had here.
    pub marked: Option<u32>,
    /// Ports of the range that connections to several destinations share.
    pub shared: u32,
    /// The port that most connections share, and how many do.
    pub most_shared: Option<(u16, u32)>,
    /// More sockets than could be looked at: what is counted here is a lower bound.
    pub beyond: u64,
}

/// The ports as they were at the last inventory.
#[derive(Clone, Debug, Default)]
pub struct PortsSnapshot {
    /// Fewest free ports first.
    pub groups: Vec<Group>,
    /// More sources and destinations than those.
    pub more_groups: u64,
    /// Every network namespace that was looked at.
    pub spaces: Vec<PortSpace>,
    /// What looking took.
    pub effort: Effort,
}

/// What an inventory took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Sockets listed, of all namespaces.
    pub sockets: u64,
    /// Time, that for finding namespaces and owners included.
    pub took_ns: u64,
}

impl PortsSnapshot {
    /// The fullest of a destination's ranges: there may be several local addresses.
    pub fn towards(&self, destination: Destination) -> Option<&Group> {
        self.groups.iter().find(|group| group.route.destination() == destination)
    }

    /// One network namespace.
    pub fn space(&self, netns: u32) -> Option<&PortSpace> {
        self.spaces.iter().find(|space| space.netns == netns)
    }
}

impl Route {
    /// That of a connection.
    pub fn of(socket: &Socket) -> Self {
        Self { netns: socket.netns, saddr: socket.saddr, daddr: socket.daddr, dport: socket.dport }
    }

    /// Without the source.
    pub fn destination(&self) -> Destination {
        Destination { netns: self.netns, daddr: self.daddr, dport: self.dport }
    }
}

impl Group {
    /// Seconds until the first half is full, if it goes on like this; `None`: it does not grow, or not known yet.
    pub fn seconds_to_cliff(&self) -> Option<f64> {
        self.growth?.seconds_to(self.held.to_cliff(self.range)?)
    }

    /// Seconds until there is no port at all.
    pub fn seconds_to_exhaustion(&self) -> Option<f64> {
        self.growth?.seconds_to(self.held.to_exhaustion(self.range))
    }
}

/// Turns inventories into answers.
#[derive(Debug, Default)]
pub struct PortsAggregate {
    rules: SearchRules,
    scope: Scope,
    /// Ranges that callers set on their sockets.
    socket_ranges: HashMap<Destination, Range, RandomState>,
    history: History,
    latest: Arc<PortsSnapshot>,
}

impl PortsAggregate {
    /// On a kernel with these rules, for destinations in `scope`.
    pub fn new(rules: SearchRules, scope: Scope) -> Self {
        Self { rules, scope, ..Self::default() }
    }

    /// Learns which range a destination's callers search.
    pub fn observe(&mut self, row: &FoldedRow) {
        let destination = Destination { netns: row.netns, daddr: row.daddr, dport: row.dport };
        let Some(range) = row.counts.range else { return };
        if row.counts.local_range == 0 {
            self.socket_ranges.remove(&destination);
        } else if self.socket_ranges.len() < SOCKET_RANGES || self.socket_ranges.contains_key(&destination) {
            self.socket_ranges.insert(destination, Range::of_socket(range, &self.rules));
        }
    }

    /// Takes the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        let mut snapshot = survey::snapshot(inventory, &self.socket_ranges, &self.scope);
        self.history.extend(inventory.begin_ns, &mut snapshot.groups);
        self.latest = Arc::new(snapshot);
    }

    /// The last ones, for the interval as for the run: they are what there is, not what happened.
    pub fn latest(&self) -> Arc<PortsSnapshot> {
        Arc::clone(&self.latest)
    }
}
