// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses of raw events as those of the standard library.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcp_trace_common::family;

/// Converts an address. IPv4 addresses are v4-mapped IPv6; the family on the wire decides.
pub fn address(bytes: [u8; 16], on_wire: u16) -> IpAddr {
    match on_wire {
        family::INET => {
            let [.., a, b, c, d] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        family::INET6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => Ipv6Addr::from(bytes).to_canonical(),
    }
}
