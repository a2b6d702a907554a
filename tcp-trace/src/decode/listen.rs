// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of a drop by a listener.

use std::net::{Ipv6Addr, SocketAddr};

use tcp_trace_common::listen::RawListenDrop;

use super::Decoder;
use crate::{
    event::{DropCause, ListenDrop},
    model::address::address,
};

impl Decoder {
    /// Decodes a drop. `None`: an unknown cause.
    pub(super) fn listen_drop(&self, raw: &RawListenDrop) -> Option<ListenDrop> {
        let cause = DropCause::ALL.get(usize::from(raw.cause)).copied()?;
        let known = raw.family != 0;
        Some(ListenDrop {
            time: self.clock.wall(raw.header.ktime_ns),
            netns: raw.netns,
            // An IPv6 listener may accept IPv4: the family of the segment is not the listener's.
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
