// SPDX-License-Identifier: MIT OR Apache-2.0
//! Owner and peer of sockets: a process, and the destination that it connected to or the service that it accepted for.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use tcp_trace_common::{COMM_LEN, peer::RawPeer};

use crate::event::{Cgroup, Comm, Side};

/// The key under which sockets are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Inode of the network namespace.
    pub netns: u32,
    /// Process id, if known.
    pub pid: Option<u32>,
    /// Which side is on this machine.
    pub side: Side,
    /// Address of the destination, or of the service.
    pub address: IpAddr,
    /// Port of the destination, or of the service.
    pub port: u16,
}

impl Peer {
    /// The peer from the kernel side's key.
    pub fn from_kernel(raw: &RawPeer) -> Self {
        Self {
            netns: raw.netns,
            pid: (raw.tgid != 0).then_some(raw.tgid),
            side: Side::from_kernel(raw.side),
            address: super::address::address(raw.address.octets(), raw.family),
            port: raw.port,
        }
    }

    /// The peer without its process.
    pub fn anybody(self) -> Self {
        Self { pid: None, ..self }
    }
}

/// Formats as `-> 10.0.0.2:3306`, or `<- 10.0.0.1:80`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.side {
            Side::Opened => "->",
            Side::Accepted => "<-",
        };
        f.pad(&format!("{arrow} {}", SocketAddr::new(self.address, self.port)))
    }
}

/// Names of an owner, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Name of its thread.
    pub comm: Option<Comm>,
    /// Its cgroup v2.
    pub cgroup: Option<Cgroup>,
}

impl Who {
    /// The names from the kernel side's values.
    pub fn from_kernel(comm: &[u8; COMM_LEN], cgroup_id: u64) -> Self {
        Self { comm: (comm[0] != 0).then(|| Comm::from_kernel(comm)), cgroup: Cgroup::from_kernel(cgroup_id) }
    }
}

/// The owner as `nginx (812)`, or what is known of it.
pub fn owner(peer: &Peer, who: &Who) -> String {
    match (&who.comm, peer.pid) {
        (Some(comm), Some(pid)) => format!("{} ({pid})", &**comm),
        (None, Some(pid)) => format!("? ({pid})"),
        (Some(comm), None) => (**comm).to_owned(),
        (None, None) => "?".to_owned(),
    }
}
