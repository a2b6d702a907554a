// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys under which sockets and minisockets are added up.

use tcp_trace_common::{
    Address,
    peer::{RawPeer, side},
};

use crate::{memory::Pointer, sock};

/// Both ends of a connection.
#[derive(Clone, Copy)]
pub struct Ends {
    pub family: u16,
    pub saddr: Address,
    pub sport: u16,
    pub daddr: Address,
    pub dport: u16,
}

impl Ends {
    /// The ends of a socket or minisocket; the two have their local port in different places.
    #[inline(always)]
    pub fn of(sk: impl Pointer, sport: u16) -> Self {
        let head = sk.head();
        let (daddr, family) = sock::remote_address(head);
        Self { family, saddr: sock::local_address(head, family), sport, daddr, dport: sock::remote_port(head) }
    }

    /// The key of a connection whose side is known.
    #[inline(always)]
    pub fn peer(&self, netns: u32, (tgid, process_start_ns): (u32, u64), side: u8) -> RawPeer {
        let (address, port) = if side == side::OPENED { (self.daddr, self.dport) } else { (self.saddr, self.sport) };
        RawPeer { process_start_ns, netns, tgid, address, port, family: self.family, side, pad: [0; 3] }
    }

    /// The side of a connection whose beginning was not traced: see `side::OPENED`.
    #[inline(always)]
    pub fn side(&self, sk: impl Pointer, bucket: Option<bool>) -> u8 {
        let opened = match bucket {
            Some(true) => true,
            _ => sock::in_port_range(sk, self.sport) && !sock::in_port_range(sk, self.dport),
        };
        if opened { side::OPENED } else { side::ACCEPTED }
    }
}
