// SPDX-License-Identifier: MIT OR Apache-2.0
//! What outputs say about an address beside the address itself.

use std::net::IpAddr;

/// What follows from an address alone.
pub trait AddressExt {
    /// `ipv4` or `ipv6`.
    fn family(&self) -> &'static str;

    /// The address, unless it is all zeros: a local address that was never chosen is not known.
    fn chosen(&self) -> Option<IpAddr>;
}

impl AddressExt for IpAddr {
    fn family(&self) -> &'static str {
        if self.is_ipv4() { "ipv4" } else { "ipv6" }
    }

    fn chosen(&self) -> Option<IpAddr> {
        (!self.is_unspecified()).then_some(*self)
    }
}
