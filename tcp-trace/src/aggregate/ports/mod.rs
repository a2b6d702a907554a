// SPDX-License-Identifier: MIT OR Apache-2.0
//! Local ports by network namespace, source and destination: what takes them, how many are left, and how fast they are
//! used.
//!
//! A port is free for a connect unless the same four-tuple exists (except a reusable TIME_WAIT), or the port is
//! reserved, or carries the mark of a `bind()`, for example a listener's; such a port is never shared. One port can
//! therefore serve many destinations, and each pair of source and destination has a range of its own.

pub mod common;
mod growth;
mod head_room;
pub mod held;
pub mod port_set;
pub mod range;
pub mod reuse;
mod survey;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use foldhash::fast::RandomState;

pub use self::{growth::Growth, head_room::HeadRoom};
use self::{growth::History, held::Held, port_set::PortSet, range::Range, reuse::Reuse};
use super::tally::Destination;
use crate::{
    inventory::{Inventory, owners::Owner, socket::Socket},
    kernel::rules::SearchRules,
    model::{folded::FoldedRow, scope::Scope},
};

/// Number of destinations for which a caller's IP_LOCAL_PORT_RANGE is remembered.
const SOCKET_RANGES: usize = 1024;

/// Source and destination that share one range of ports.
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

/// The ports of one source and destination.
#[derive(Clone, Debug)]
pub struct Group {
    /// Source and destination.
    pub route: Route,
    /// The range that its connects search.
    pub range: Range,
    /// Ports of the range by what takes them.
    pub held: Held,
    /// Ports of the range that a search cannot use.
    pub taken: PortSet,
    /// Connections from ports outside the range.
    pub outside: u32,
    /// When ports in TIME_WAIT can be reused.
    pub reuse: Reuse,
    /// The change of the number of taken ports.
    pub growth: Option<Growth>,
    /// The owner of most of these sockets, and their number. TIME_WAIT has no owner.
    pub owner: Option<(Arc<Owner>, u32)>,
}

/// The ports of one network namespace.
#[derive(Clone, Debug)]
pub struct PortSpace {
    /// Inode number of the namespace.
    pub netns: u32,
    /// `net.ipv4.ip_local_port_range`.
    pub range: Option<Range>,
    /// Ports of the range that are reserved.
    pub reserved: u32,
    /// Ports of the range with a listener.
    pub listening: u32,
    /// Ports of the range that are only bound; `None`: this kernel does not list them.
    pub bound: Option<u32>,
    /// Ports of the range that carry the mark of a `bind()`, including listeners' ports; `None`: unavailable here.
    pub marked: Option<u32>,
    /// Ports of the range that connections to several destinations share.
    pub shared: u32,
    /// The port that most connections share, and their number.
    pub most_shared: Option<(u16, u32)>,
    /// Sockets beyond the limit of one inventory: the counts here are then lower bounds.
    pub beyond: u64,
}

/// The ports at the last inventory.
#[derive(Clone, Debug, Default)]
pub struct PortsSnapshot {
    /// Pairs of source and destination, fewest free ports first.
    pub groups: Vec<Group>,
    /// Number of pairs beyond `groups`.
    pub more_groups: u64,
    /// Every network namespace that was read.
    pub spaces: Vec<PortSpace>,
    /// The cost of the inventory.
    pub effort: Effort,
}

/// The cost of an inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Number of sockets in all namespaces.
    pub sockets: u64,
    /// Duration in ns, including finding namespaces and owners.
    pub took_ns: u64,
}

impl PortsSnapshot {
    /// The fullest group towards a destination, which may have several local addresses.
    pub fn towards(&self, destination: Destination) -> Option<&Group> {
        self.groups.iter().find(|group| group.route.destination() == destination)
    }

    /// The ports of one network namespace.
    pub fn space(&self, netns: u32) -> Option<&PortSpace> {
        self.spaces.iter().find(|space| space.netns == netns)
    }
}

impl Route {
    /// The route of a connection's socket.
    pub fn of(socket: &Socket) -> Self {
        Self { netns: socket.netns, saddr: socket.saddr, daddr: socket.daddr, dport: socket.dport }
    }

    /// The destination alone.
    pub fn destination(&self) -> Destination {
        Destination { netns: self.netns, daddr: self.daddr, dport: self.dport }
    }
}

impl Group {
    /// Seconds until the first half is full at the current rate; `None`: it does not grow, or the rate is unknown.
    pub fn seconds_to_cliff(&self) -> Option<f64> {
        self.growth?.seconds_to(self.held.to_cliff(self.range)?)
    }

    /// Seconds until no port is left at the current rate; `None` as in `seconds_to_cliff`.
    pub fn seconds_to_exhaustion(&self) -> Option<f64> {
        self.growth?.seconds_to(self.held.to_exhaustion(self.range))
    }
}

/// Turns inventories into snapshots of ports.
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
    /// An aggregate for a kernel with these rules, and for destinations in `scope`.
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

    /// Consumes an inventory of the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        let mut snapshot = survey::snapshot(inventory, &self.socket_ranges, &self.scope);
        self.history.extend(inventory.begin_ns, &mut snapshot.groups);
        self.latest = Arc::new(snapshot);
    }

    /// The latest snapshot, for the interval and for the run alike.
    pub fn latest(&self) -> Arc<PortsSnapshot> {
        Arc::clone(&self.latest)
    }
}
