// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads a listening socket, and a SYN that reaches it.

use tcp_trace_common::{Address, family as families, listen::RawListenerKey};

use super::{family, local_address, local_port, net, netns, read_v4, read_v6};
use crate::{
    globals::offset,
    memory::{Memory as _, Pointer, Untyped},
};

/// The key of a listening socket.
#[inline(always)]
pub fn listener_key(sk: impl Pointer) -> RawListenerKey {
    let family = family(sk);
    RawListenerKey {
        sk: sk.address(),
        netns: netns(sk),
        port: local_port(sk),
        family,
        saddr: local_address(sk, family),
    }
}

/// The two queues of a listener: connections waiting for `accept()`, handshakes in progress, and the limit of each.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Queues {
    pub accept: u32,
    pub syn: u32,
    pub limit: u32,
}

#[inline(always)]
pub fn queues(sk: impl Pointer) -> Queues {
    Queues {
        accept: sk.read(offset!(sk_ack_backlog)).unwrap_or(0),
        syn: sk.tcp().and_then(|tcp| tcp.read(offset!(syn_queue_len))).unwrap_or(0),
        limit: sk.read(offset!(sk_max_ack_backlog)).unwrap_or(0),
    }
}

/// `sk_drops`: for a listener, the number of drops.
#[inline(always)]
pub fn drops(sk: impl Pointer) -> u32 {
    sk.read(offset!(sk_drops)).unwrap_or(0)
}

/// `tcp_syncookies` of its namespace; 0: off.
#[inline(always)]
pub fn syncookies(sk: impl Pointer) -> u8 {
    net(sk).and_then(|net| net.read(offset!(tcp_syncookies))).unwrap_or(0)
}

/// `tcp_max_syn_backlog` of its namespace.
#[inline(always)]
pub fn max_syn_backlog(sk: impl Pointer) -> i32 {
    net(sk).and_then(|net| net.read(offset!(max_syn_backlog))).unwrap_or(0)
}

/// Sender of a packet; family 0: unknown.
pub struct Sender {
    pub address: Address,
    pub port: u16,
    pub family: u16,
}

impl Sender {
    pub const UNKNOWN: Self = Self { address: Address([0; 2]), port: 0, family: 0 };
}

/// The sender of a TCP segment in a `struct sk_buff`, from its headers.
#[inline(always)]
pub fn sender(skb: u64) -> Option<Sender> {
    /// `iphdr.saddr`, `ipv6hdr.saddr`
    const V4_SOURCE: u16 = 12;
    const V6_SOURCE: u16 = 8;
    let skb = Untyped(skb);
    let head = skb.follow(offset!(skb_head))?;
    let header = |at: u16| Untyped(head.0 + u64::from(at));
    let network = header(skb.read(offset!(skb_network_header))?);
    let port = u16::from_be(header(skb.read(offset!(skb_transport_header))?).read(0)?);
    let version = network.read::<u8>(0)? >> 4;
    Some(if version == 4 {
        Sender { address: read_v4(network, V4_SOURCE), port, family: families::INET }
    } else {
        Sender { address: read_v6(network, V6_SOURCE), port, family: families::INET6 }
    })
}
