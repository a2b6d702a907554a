// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a listener drops.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

/// A SYN, or the ACK that ends a handshake, that a listener dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenDrop {
    /// When it happened.
    pub time: Timestamp,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Address that the listener is bound to.
    pub saddr: IpAddr,
    /// Its port.
    pub sport: u16,
    /// Who sent it.
    pub client: Option<SocketAddr>,
    /// Why it was dropped.
    pub cause: DropCause,
    /// Connections that waited for `accept()` at that moment.
    pub accept_queue: u32,
    /// Handshakes under way.
    pub syn_queue: u32,
    /// Limit of each queue.
    pub limit: u32,
}

/// Why a listener dropped something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropCause {
    /// A SYN: the accept queue is full.
    AcceptQueue,
    /// The last ACK of a handshake: the accept queue is full, and the client believes to be connected.
    AcceptQueueAtAck,
    /// A SYN: the SYN queue is full, and cookies are off.
    SynQueue,
    /// A SYN: the last quarter of `tcp_max_syn_backlog` is kept for known peers, and cookies are off.
    SynBacklog,
    /// A SYN: no memory, no route back, a security module.
    Other,
}

impl DropCause {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 5] =
        [Self::AcceptQueue, Self::AcceptQueueAtAck, Self::SynQueue, Self::SynBacklog, Self::Other];

    /// As every output spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AcceptQueue => "accept_queue",
            Self::AcceptQueueAtAck => "accept_queue_at_ack",
            Self::SynQueue => "syn_queue",
            Self::SynBacklog => "syn_backlog",
            Self::Other => "other",
        }
    }
}
