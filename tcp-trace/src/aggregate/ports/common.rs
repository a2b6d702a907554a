// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports that no connect of a network namespace can use, for any destination.

use super::{held::By, port_set::PortSet};
use crate::inventory::{Space, socket::State};

/// One set of ports per reason. A port may be in several.
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// Ports in `ip_local_reserved_ports`.
    pub reserved: PortSet,
    /// Ports with a listener.
    pub listening: PortSet,
    /// Ports that are only bound; `None`: this kernel does not list them.
    pub bound: Option<PortSet>,
    /// Ports with the mark of a `bind()`; `None`: unavailable here.
    pub marked: Option<PortSet>,
}

impl Common {
    /// The sets of a namespace; `lists_bound` as in the inventory.
    pub fn of(space: &Space, lists_bound: Option<bool>) -> Self {
        let mut listening = PortSet::default();
        let mut bound = (lists_bound == Some(true)).then(PortSet::default);
        for socket in &space.sockets {
            match (socket.state, &mut bound) {
                (State::Listen, _) => listening.insert(socket.sport),
                (State::Bound, Some(bound)) => bound.insert(socket.sport),
                _ => continue,
            };
        }
        let marked = space.marks.as_ref().map(|marks| {
            let mut ports = PortSet::default();
            marks.iter().for_each(|mark| {
                ports.insert(mark.port);
            });
            ports
        });
        let reserved = space.sysctls.ip_local_reserved_ports.as_deref().and_then(PortSet::parse).unwrap_or_default();
        Self { reserved, listening, bound, marked }
    }

    /// The known sets, in the order in which a port is attributed.
    pub fn ports(&self) -> impl Iterator<Item = (By, &PortSet)> {
        let all = [
            (By::Reserved, Some(&self.reserved)),
            (By::Listening, Some(&self.listening)),
            (By::Bound, self.bound.as_ref()),
            (By::Marked, self.marked.as_ref()),
        ];
        all.into_iter().filter_map(|(by, ports)| Some((by, ports?)))
    }

    /// Whether a connect skips a port for any of these reasons.
    pub fn contains(&self, port: u16) -> bool {
        self.ports().any(|(_, ports)| ports.contains(port))
    }
}
