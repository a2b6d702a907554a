// SPDX-License-Identifier: MIT OR Apache-2.0
//! The destinations of a run: the filters that the kernel side applies to events, for data that is not an event.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tcp_trace_common::{
    COMM_LEN,
    config::{Config, filter},
    family,
};

use super::peer::{Peer, Who};
use crate::event::Comm;

/// Remote ends and owners that pass the filters; by default all. Filters by user are not included, because users are
/// not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pid: Option<u32>,
    comm: Option<[u8; COMM_LEN]>,
    cgroup: Option<u64>,
    netns: Option<u32>,
    dport: Option<u16>,
    /// Address family.
    family: Option<u16>,
    /// Remote address and mask, IPv4 mapped into IPv6.
    daddr: Option<[u128; 2]>,
}

impl Scope {
    /// The scope of these filters.
    pub fn of(config: &Config) -> Self {
        let asked = |bit: u32| config.filters & bit != 0;
        Self {
            pid: asked(filter::TGID).then_some(config.tgid),
            comm: asked(filter::COMM).then_some(config.comm),
            cgroup: asked(filter::CGROUP).then_some(config.cgroup_id),
            netns: asked(filter::NETNS).then_some(config.netns),
            dport: asked(filter::DPORT).then_some(config.dport),
            family: asked(filter::FAMILY).then_some(config.family),
            daddr: asked(filter::DADDR).then(|| [number(config.daddr), number(config.daddr_mask)]),
        }
    }

    /// Whether totals of this key and owner are in the scope.
    pub fn takes(&self, peer: &Peer, who: &Who) -> bool {
        let comm = |asked| who.comm.as_ref().is_some_and(|comm| *comm == Comm::from_kernel(&asked));
        let cgroup = |asked| who.cgroup.as_ref().is_some_and(|cgroup| cgroup.id == asked);
        self.pid.is_none_or(|pid| peer.pid == Some(pid))
            && self.comm.is_none_or(comm)
            && self.cgroup.is_none_or(cgroup)
            && self.netns.is_none_or(|netns| peer.netns == netns)
            && self.contains(peer.address, peer.port)
    }

    /// Whether a remote end is in the scope; filters by process do not apply, because a port is taken whichever process
    /// holds it.
    pub fn contains(&self, daddr: IpAddr, dport: u16) -> bool {
        let on_wire = if daddr.is_ipv4() { family::INET } else { family::INET6 };
        let address = match daddr {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        self.dport.is_none_or(|asked| asked == dport)
            && self.family.is_none_or(|asked| asked == on_wire)
            && self.daddr.is_none_or(|[asked, mask]| address & mask == asked)
    }
}

/// A number from two native words of bytes in network order.
fn number(words: [u64; 2]) -> u128 {
    let [high, low] = words.map(|word| u128::from(u64::from_be_bytes(word.to_ne_bytes())));
    high << 64 | low
}

/// Sixteen bytes as the two native words that the kernel side compares.
pub fn words(bytes: [u8; 16]) -> [u64; 2] {
    let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|index| bytes[at + index]));
    [half(0), half(8)]
}
