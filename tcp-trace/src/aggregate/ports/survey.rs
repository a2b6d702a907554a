// SPDX-License-Identifier: MIT OR Apache-2.0
//! From sockets to groups: one pass to find the largest groups, another to fill them.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    Effort, Group, Held, PortSpace, PortsSnapshot, Route, common::Common, held::By, port_set::PortSet, range::Range,
    reuse::Reuse,
};
use crate::{
    aggregate::{tally::Destination, top::Top},
    inventory::{
        Inventory, Space,
        socket::{Socket, State},
    },
    model::scope::Scope,
};

/// Number of groups that are reported in full.
const GROUPS: usize = 64;
/// Number of groups that are counted to find the largest: each group with more than one in this many of all sockets is
/// among them.
const CANDIDATES: usize = 4096;
/// Number of processes that are distinguished per group.
const OWNERS: usize = 64;

type SocketRanges = HashMap<Destination, Range, RandomState>;

pub(super) fn snapshot(inventory: &Inventory, socket_ranges: &SocketRanges, scope: &Scope) -> PortsSnapshot {
    let grounds: Vec<Ground<'_>> =
        inventory.spaces.iter().map(|space| Ground::new(space, inventory.lists_bound, socket_ranges)).collect();
    let mut candidates: Top<Route, u64> = Top::new(CANDIDATES);
    for (ground, socket) in clients(&grounds) {
        if scope.contains(socket.daddr, socket.dport)
            && ground.range(socket).is_some_and(|range| range.contains(socket.sport))
        {
            *candidates.add(&Route::of(socket), 1) += 1;
        }
    }
    let mut routes: Vec<(u64, Route)> = candidates.iter().map(|(route, count, ..)| (*count, *route)).collect();
    routes.sort_unstable_by_key(|(count, route)| (Reverse(*count), *route));
    let more_groups = routes.len().saturating_sub(GROUPS) as u64;
    routes.truncate(GROUPS);

    let mut filling: HashMap<Route, Filling, RandomState> = HashMap::default();
    filling.extend(routes.into_iter().map(|(_, route)| (route, Filling::default())));
    let reuses =
        |ground: &Ground<'_>, socket: &Socket| Reuse::of(&ground.space.sysctls, socket.saddr, socket.daddr).now(socket);
    for (ground, socket) in clients(&grounds) {
        let Some(group) = filling.get_mut(&Route::of(socket)) else { continue };
        let Some(range) = ground.range(socket) else { continue };
        group.take(socket, range, By::of(socket, reuses(ground, socket)));
        if let Some(owner) = inventory.owners.of(socket) {
            *group.owners.get_or_insert_with(|| Top::new(OWNERS)).add(&owner.pid, 1) = Some(Arc::clone(owner));
        }
    }
    let mut groups: Vec<Group> = grounds
        .iter()
        .flat_map(|ground| {
            let of_ground = filling.extract_if(|route, _| route.netns == ground.space.namespace.inode);
            of_ground.filter_map(|(route, filled)| filled.finish(route, ground)).collect::<Vec<_>>()
        })
        .collect();
    groups.sort_by_key(|group| (group.held.to_exhaustion(group.range), group.route));
    let spaces = grounds.iter().map(Ground::summary).collect();
    let listed = |space: &Space| space.sockets.len() as u64 + space.beyond;
    let effort = Effort { sockets: inventory.spaces.iter().map(listed).sum(), took_ns: inventory.took_ns };
    PortsSnapshot { groups, more_groups, spaces, effort }
}

/// Sockets with a remote end, except those whose local port has a listener: they were accepted there.
fn clients<'a>(grounds: &'a [Ground<'a>]) -> impl Iterator<Item = (&'a Ground<'a>, &'a Socket)> {
    grounds.iter().flat_map(|ground| {
        let remote = |socket: &&Socket| !matches!(socket.state, State::Listen | State::Bound) && socket.dport != 0;
        let clients = ground.space.sockets.iter().filter(remote);
        clients.filter(|socket| !ground.common.listening.contains(socket.sport)).map(move |socket| (ground, socket))
    })
}

/// What all destinations of a namespace have in common.
struct Ground<'a> {
    space: &'a Space,
    range: Option<Range>,
    socket_ranges: &'a SocketRanges,
    common: Common,
}

impl<'a> Ground<'a> {
    fn new(space: &'a Space, lists_bound: Option<bool>, socket_ranges: &'a SocketRanges) -> Self {
        Self {
            range: space.sysctls.ip_local_port_range.map(Range::of_namespace),
            common: Common::of(space, lists_bound),
            space,
            socket_ranges,
        }
    }

    /// The range that the socket's port comes from.
    fn range(&self, socket: &Socket) -> Option<Range> {
        self.range_towards(Route::of(socket).destination())
    }

    fn range_towards(&self, destination: Destination) -> Option<Range> {
        self.socket_ranges.get(&destination).copied().or(self.range)
    }

    fn in_range(&self, ports: &PortSet) -> u32 {
        ports.iter().filter(|port| self.range.is_some_and(|range| range.contains(*port))).count() as u32
    }

    fn summary(&self) -> PortSpace {
        let mut uses = vec![0_u32; 1 << 16];
        for (_, socket) in clients(std::slice::from_ref(self)) {
            uses[usize::from(socket.sport)] += 1;
        }
        let shared = (0_u16..=u16::MAX)
            .zip(uses)
            .filter(|(port, uses)| *uses > 1 && self.range.is_some_and(|range| range.contains(*port)));
        let (mut count, mut most) = (0, None);
        for (port, uses) in shared {
            count += 1;
            if most.is_none_or(|(_, most)| uses > most) {
                most = Some((port, uses));
            }
        }
        PortSpace {
            netns: self.space.namespace.inode,
            range: self.range,
            reserved: self.in_range(&self.common.reserved),
            listening: self.in_range(&self.common.listening),
            bound: self.common.bound.as_ref().map(|bound| self.in_range(bound)),
            marked: self.common.marked.as_ref().map(|marked| self.in_range(marked)),
            shared: count,
            most_shared: most,
            beyond: self.space.beyond,
        }
    }
}

/// A group while it is filled.
#[derive(Default)]
struct Filling {
    held: Held,
    /// Ports with a four-tuple, including reusable ones.
    seen: PortSet,
    taken: PortSet,
    outside: u32,
    owners: Option<Top<u32, Option<Arc<crate::inventory::owners::Owner>>>>,
}

impl Filling {
    fn take(&mut self, socket: &Socket, range: Range, by: By) {
        if !range.contains(socket.sport) {
            self.outside += 1;
        } else if self.seen.insert(socket.sport) {
            self.held.add(by, range.is_first(socket.sport));
            if by != By::TimeWaitReusable {
                self.taken.insert(socket.sport);
            }
        }
    }

    fn finish(mut self, route: Route, ground: &Ground<'_>) -> Option<Group> {
        let range = ground.range_towards(route.destination())?;
        for (by, ports) in ground.common.ports() {
            for port in ports.iter().filter(|port| range.contains(*port)) {
                if self.seen.insert(port) {
                    self.held.add(by, range.is_first(port));
                    self.taken.insert(port);
                }
            }
        }
        let owners = self.owners.iter().flat_map(Top::iter);
        let owner = owners.max_by_key(|(pid, _, weight, _)| (*weight, Reverse(**pid)));
        Some(Group {
            route,
            range,
            held: self.held,
            taken: self.taken,
            outside: self.outside,
            reuse: Reuse::of(&ground.space.sysctls, route.saddr, route.daddr),
            growth: None,
            owner: owner.and_then(|(_, owner, weight, _)| Some((owner.clone()?, weight as u32))),
        })
    }
}
