// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ports towards one destination as its searches find them, by what would release them.

use crate::{
    aggregate::ports::{
        Route,
        common::Common,
        port_set::PortSet,
        range::Range,
        reuse::{Reuse, TIME_WAIT_MS},
    },
    inventory::{Inventory, socket::State},
};

/// Ports of one source and destination.
#[derive(Clone, Debug)]
pub struct Occupancy {
    /// Ports that no connect can use.
    pub common: Common,
    /// Ports of connections, including those that are being opened or closed.
    live: PortSet,
    /// Ports in TIME_WAIT with their age in ms; `None`: unknown.
    time_wait: Vec<(u16, Option<u32>)>,
}

impl Occupancy {
    /// The ports from the sockets of a namespace; `None`: the namespace is not in the inventory.
    pub fn of(inventory: &Inventory, route: Route) -> Option<Self> {
        let space = inventory.space(route.netns)?;
        let mut occupancy =
            Self { common: Common::of(space, inventory.lists_bound), live: PortSet::default(), time_wait: Vec::new() };
        for socket in space.sockets.iter().filter(|socket| Route::of(socket) == route) {
            match (socket.state, socket.expires_ms) {
                (State::TimeWait, left) => {
                    occupancy.time_wait.push((socket.sport, left.map(|left| TIME_WAIT_MS.saturating_sub(left))));
                }
                _ => {
                    occupancy.live.insert(socket.sport);
                }
            }
        }
        Some(occupancy)
    }

    /// The ports for a new source address without connections.
    pub fn of_a_new_address(&self) -> Self {
        Self { common: self.common.clone(), live: PortSet::default(), time_wait: Vec::new() }
    }

    /// Ports that a search cannot use.
    pub fn taken(&self, reuse: Reuse) -> PortSet {
        let mut taken = self.live.clone();
        let resting = self.time_wait.iter().filter(|(_, age_ms)| !reuse.after(*age_ms));
        let common = self.common.ports().flat_map(|(_, ports)| ports.iter());
        resting.map(|(port, _)| *port).chain(common).for_each(|port| {
            taken.insert(port);
        });
        taken
    }

    /// Number of connections from ports of a range.
    pub fn live(&self, range: Range) -> u32 {
        self.live.iter().filter(|port| range.contains(*port)).count() as u32
    }

    /// Number of ports of a range in TIME_WAIT, reusable or not.
    pub fn time_wait(&self, range: Range) -> u32 {
        self.time_wait.iter().filter(|(port, _)| range.contains(*port)).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        inventory::{
            sample::{inventory, socket},
            socket::Socket,
        },
        kernel::rules::Sysctls,
    };

    #[test]
    fn by_what_would_give_them_back() {
        let sysctls = Sysctls { ip_local_reserved_ports: Some("40009".into()), ..Sysctls::default() };
        let fresh = Socket { expires_ms: Some(59_500), ..socket(State::TimeWait, 40_002) };
        let elsewhere = Socket { dport: 80, ..socket(State::Established, 40_005) };
        let sockets = vec![socket(State::CloseWait, 40_000), socket(State::TimeWait, 40_001), fresh, elsewhere];
        let route = Route::of(&sockets[0]);
        let inventory = inventory(sysctls, sockets);
        let occupancy = Occupancy::of(&inventory, route).expect("the namespace is there");
        let taken = |reuse| occupancy.taken(reuse).iter().collect::<Vec<_>>();
        assert_eq!(taken(Reuse::Off), [40_000, 40_001, 40_002, 40_009]);
        assert_eq!(taken(Reuse::After { delay_ms: 1000 }), [40_000, 40_002, 40_009]);
        assert_eq!(occupancy.of_a_new_address().taken(Reuse::Off).iter().collect::<Vec<_>>(), [40_009]);
        let range = Range::of_namespace((40_001, 40_100));
        assert_eq!((occupancy.live(range), occupancy.time_wait(range)), (0, 2));
        assert!(Occupancy::of(&inventory, Route { netns: 2, ..route }).is_none());
    }
}
