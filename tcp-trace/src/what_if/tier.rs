// SPDX-License-Identifier: MIT OR Apache-2.0
//! The size of a tier of proxies or NAT hosts towards one destination: how many ports each address has in use at the
//! same time, and how many there are.
//!
//! A proxy connects itself, so the kernel's search limits it: half of the range until the cliff. A NAT host uses one of
//! its ports for a connection of another host. netfilter chooses that port with another algorithm, which is not
//! modelled: there are the ports from 1024 on, each kept until conntrack drops the entry.

use crate::{
    aggregate::ports::range::Range,
    what_if::{
        current::Visits,
        search::Searches,
        steady_state::{self, Crowd},
        walk::Walk,
    },
};

/// Default of `net.ipv4.ip_local_port_range`.
pub const DEFAULT_RANGE: (u16, u16) = (32_768, 60_999);
/// Length of TIME_WAIT in seconds, `TCP_TIMEWAIT_LEN`.
const TIME_WAIT_S: f64 = 60.0;
/// Default of `nf_conntrack_tcp_timeout_time_wait` in seconds.
const CONNTRACK_S: f64 = 120.0;
/// Number of ports that `nf_nat_l4proto_unique_tuple` chooses from for source ports of 1024 and above.
const NAT_PORTS: u32 = 65_536 - 1024;

/// A tier of hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// Number of hosts, each with an equal share of the connects.
    pub hosts: u32,
    /// Source addresses per host, used in turn.
    pub addresses: u32,
    /// Connects per second of all hosts together.
    pub connects_per_second: f64,
    /// Duration of a connection in seconds, before TIME_WAIT.
    pub lasts_s: f64,
    /// Port range of a proxy.
    pub range: (u16, u16),
}

/// The size for one kind of host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Ports of an address.
    pub ports: u32,
    /// Ports taken at the same time, if there are enough.
    pub taken: f64,
    /// Ports taken when searches become long; for a NAT host, when none is left.
    pub edge: u32,
    /// Connects per second of the whole tier at the edge.
    pub edge_per_second: f64,
    /// Number of hosts that stays below the edge.
    pub hosts: u32,
    /// Predicted searches; `None`: not this kernel's search.
    pub visits: Option<Visits>,
}

impl Tier {
    /// Size for hosts that connect themselves, and close first.
    pub fn proxy(&self) -> Size {
        let walk = Walk::new(Range::of_namespace(self.range), 0);
        let searches = Searches::new(walk, |_| true);
        let edge = searches.to_cliff().unwrap_or(1);
        let each = self.connects_per_second / f64::from(self.hosts) / f64::from(self.addresses);
        let round = |ports: f64| ports.round().min(f64::from(u16::MAX)) as u32;
        let crowd = Crowd { live: round(each * self.lasts_s), time_wait: round(each * TIME_WAIT_S) };
        let per_window = (each * 10.0).round().max(1.0) as u32;
        let visits = Some(steady_state::visits(searches, crowd, per_window));
        Size { visits, ..self.size(walk.range.ports(), edge, self.lasts_s + TIME_WAIT_S) }
    }

    /// Size for hosts that do NAT for other hosts.
    pub fn nat(&self) -> Size {
        self.size(NAT_PORTS, NAT_PORTS, self.lasts_s + CONNTRACK_S)
    }

    fn size(&self, ports: u32, edge: u32, kept_s: f64) -> Size {
        let addresses = f64::from(self.addresses);
        let taken = self.connects_per_second * kept_s / addresses;
        let hosts = (taken / f64::from(edge)).ceil().max(1.0) as u32;
        Size {
            ports,
            taken: taken / f64::from(self.hosts),
            edge,
            edge_per_second: f64::from(edge) * addresses * f64::from(self.hosts) / kept_s,
            hosts,
            visits: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_for_a_minute_or_two() {
        let tier = Tier { hosts: 4, addresses: 1, connects_per_second: 800.0, lasts_s: 1.0, range: DEFAULT_RANGE };
        let proxy = tier.proxy();
        assert_eq!((proxy.ports, proxy.taken, proxy.edge, proxy.hosts), (28_232, 12_200.0, 14_116, 4));
        let visits = proxy.visits.expect("a search of this kernel");
        assert!(visits.second_pass == 0.0 && visits.no_port == 0.0, "{visits:?}");
        let nat = tier.nat();
        assert_eq!((nat.ports, nat.taken, nat.hosts, nat.visits), (64_512, 24_200.0, 2, None));
        assert_eq!(nat.edge_per_second, 64_512.0 * 4.0 / 121.0);
        let one = Tier { hosts: 1, ..tier }.proxy();
        assert!(one.visits.is_some_and(|visits| visits.no_port > 0.3));
        assert_eq!(Tier { addresses: 2, ..tier }.proxy().hosts, 2);
    }
}
