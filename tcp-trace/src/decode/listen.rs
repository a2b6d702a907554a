// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a listener dropped: what its raw event means.

use std::net::{Ipv6Addr, SocketAddr};

use tcp_trace_common::listen::RawListenDrop;

use super::Decoder;
use crate::{
    event::{DropCause, ListenDrop},
    model::address::address,
};

impl Decoder {
    /// `None`: a cause that this side does not know.
    pub(super) fn listen_drop(&self, raw: &RawListenDrop) -> Option<ListenDrop> {
        let cause = DropCause::ALL.get(usize::from(raw.cause)).copied()?;
        let known = raw.family != 0;
        Some(ListenDrop {
            time: self.clock.wall(raw.header.ktime_ns),
            netns: raw.netns,
            // A listener of IPv6 may hear IPv4: the family of the segment is not its own.
            saddr: Ipv6Addr::from(raw.saddr.octets()).to_canonical(),
            sport: raw.port,
            client: known.then(|| SocketAddr::new(address(raw.client.octets(), raw.family), raw.client_port)),
            cause,
            accept_queue: raw.accept_queue,
            syn_queue: raw.syn_queue,
            limit: raw.limit,
        })
    }
}
