// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a listener drops.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use super::fields::structure;

// Columns of recordings come in another order than keys of JSON lines, so the cause has an entry for each.
/// The fields of a `listen_drop` event: `fields.rs` says how to read this list.
macro_rules! listen_drop_fields {
    ($consumer:ident) => {
        $consumer! {
            /// A SYN, or the ACK that ends a handshake, that a listener dropped.
            ListenDrop "listen_drop" {
                /// When the listener dropped it.
                "time" time: Timestamp;
                /// Why the listener dropped it: `accept_queue`, `accept_queue_at_ack`, `syn_queue`, `syn_backlog` or `other`.
                "cause" => [.cause];
                /// Inode number of the network namespace.
                "netns" netns: u32;
                /// Address family on the wire: `ipv4` or `ipv6`. Null if the client is not known.
                "family" => [.client.map(|client| client.ip().family())];
                /// Address that the listener is bound to; all zeros: any.
                "saddr" saddr: IpAddr;
                /// Port of the listener.
                "sport" sport: u16;
                /// Who sent it; `None` if the client is not known.
                "" client: Option<SocketAddr> => recorded;
                /// Address of the client. Null if it is not known.
                "daddr" => [.client.map(|client| client.ip())];
                /// Port of the client. Null if it is not known.
                "dport" => [.client.map(|client| client.port())];
                /// Why the listener dropped it.
                "cause" cause: DropCause => recorded;
                /// Connections that waited for `accept()` at that moment.
                "accept_queue" accept_queue: u32;
                /// Handshakes that were under way at that moment.
                "syn_queue" syn_queue: u32;
                /// Limit of each of the two queues.
                "limit" limit: u32;
            }
        }
    };
}
pub(crate) use listen_drop_fields;

listen_drop_fields!(structure);

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
