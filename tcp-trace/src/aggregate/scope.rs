// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which destinations are of interest: the filters that the kernel side applies to events, for what is not an event.

use std::net::IpAddr;

use tcp_trace_common::{
    config::{Config, filter},
    family,
};

use super::peer::{Peer, Who};
use crate::event::Comm;

/// Remote ends that pass. By default all do.
#[derive(Clone, Copy, Debug)]
pub struct Scope(Config);

impl Default for Scope {
    fn default() -> Self {
        Self(Config::EMPTY)
    }
}

impl Scope {
    /// Those that these filters let through; filters by process do not count, for a port is taken whoever has it.
    pub fn of(config: &Config) -> Self {
        Self(*config)
    }

    /// Whether what was added up under this key and owner is of interest. Users are not kept.
    pub fn takes(&self, peer: &Peer, who: &Who) -> bool {
        let config = &self.0;
        let asks = |bit: u32| config.filters & bit != 0;
        let comm = who.comm.as_ref().is_some_and(|comm| *comm == Comm::from_kernel(&config.comm));
        let cgroup = who.cgroup.as_ref().is_some_and(|cgroup| cgroup.id == config.cgroup_id);
        (!asks(filter::TGID) || peer.pid == Some(config.tgid))
            && (!asks(filter::COMM) || comm)
            && (!asks(filter::CGROUP) || cgroup)
            && (!asks(filter::NETNS) || peer.netns == config.netns)
            && self.contains(peer.address, peer.port)
    }

    /// Whether a remote end is one of them.
    pub fn contains(&self, daddr: IpAddr, dport: u16) -> bool {
        let config = &self.0;
        let asks = |bit: u32| config.filters & bit != 0;
        let family = if daddr.is_ipv4() { family::INET } else { family::INET6 };
        let within = || {
            let words = words(match daddr {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            });
            (0..2).all(|half| words[half] & config.daddr_mask[half] == config.daddr[half])
        };
        (!asks(filter::DPORT) || config.dport == dport)
            && (!asks(filter::FAMILY) || config.family == family)
            && (!asks(filter::DADDR) || within())
    }
}

/// Sixteen bytes as the two native words that the kernel side compares.
pub fn words(bytes: [u8; 16]) -> [u64; 2] {
    let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|index| bytes[at + index]));
    [half(0), half(8)]
}
