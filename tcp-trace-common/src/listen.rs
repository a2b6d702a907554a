// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listeners: SYNs, what happened to them, and how full the two queues were.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, RawHeader};

/// Why a listener dropped a SYN, or the ACK that ends a handshake: slots of [`RawListener::drops`].
pub mod cause {
    /// A SYN, because the accept queue is full.
    pub const ACCEPT_QUEUE: u8 = 0;
    /// The last ACK of a handshake, because the accept queue is full: the client believes to be connected.
    pub const ACCEPT_QUEUE_AT_ACK: u8 = 1;
    /// A SYN, because the SYN queue is full and cookies are off.
    pub const SYN_QUEUE: u8 = 2;
    /// A SYN, because the last quarter of `tcp_max_syn_backlog` is kept for known peers; only with cookies off.
    pub const SYN_BACKLOG: u8 = 3;
    /// A SYN, for another reason: no memory, no route back, a security module.
    pub const OTHER: u8 = 4;
    /// Number of slots: a power of two, so that a mask bounds an index for the verifier.
    pub const SLOTS: usize = 8;
}

/// A listening socket. Its kernel address alone is unique only until another socket reuses the memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawListenerKey {
    /// Kernel address of the socket.
    pub sk: u64,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Port.
    pub port: u16,
    /// Address family of the socket: an IPv6 socket may accept IPv4 too.
    pub family: u16,
    /// Address that it is bound to; all zeros behind the prefix: any.
    pub saddr: Address,
}

const _: () = assert!(size_of::<RawListenerKey>() == 32);

/// What happened to one listener's SYNs since tracing began. Kept in the kernel independent of streamed events.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawListener {
    /// SYNs that `tcp_conn_request` decided about.
    pub syns: u64,
    /// SYNs and handshakes dropped, by [`cause`].
    pub drops: [u64; cause::SLOTS],
    /// SYNs answered with a cookie, without an entry in the SYN queue.
    pub cookies: u64,
    /// Handshakes that completed into the accept queue.
    pub queued: u64,
    /// Connections taken out by `accept()`; [`UNKNOWN`] where returns are not traced.
    pub accepted: u64,
    /// Lookups that found this listener, if they are timed.
    pub lookups: u64,
    /// Time of these lookups in ns.
    pub lookup_ns: u64,
    /// Cookie of the socket, as in sock_diag; 0: it has none yet.
    pub cookie: u64,
    /// cgroup v2 id of the last process that accepted.
    pub cgroup_id: u64,
    /// `sk_max_ack_backlog`: limit of both queues.
    pub limit: u32,
    /// `sk_ack_backlog` at the last observation.
    pub accept_queue: u32,
    /// Maximum of `sk_ack_backlog`.
    pub accept_high: u32,
    /// `qlen` of the SYN queue at the last observation.
    pub syn_queue: u32,
    /// Maximum of `qlen` of the SYN queue.
    pub syn_high: u32,
    /// Backlog passed to `listen()`; `u32::MAX`: it was called before tracing began.
    pub asked: u32,
    /// Thread group that accepted last, or called `listen()`; 0: unknown.
    pub owner_tgid: u32,
    /// Explicit padding.
    pub pad: u32,
    /// Name of the owner's thread.
    pub owner_comm: [u8; COMM_LEN],
}

/// A count that this tier does not have.
pub const UNKNOWN: u64 = u64::MAX;

impl RawListener {
    /// A listener that is seen for the first time.
    pub const NEW: Self = Self {
        syns: 0,
        drops: [0; cause::SLOTS],
        cookies: 0,
        queued: 0,
        accepted: 0,
        lookups: 0,
        lookup_ns: 0,
        cookie: 0,
        cgroup_id: 0,
        limit: 0,
        accept_queue: 0,
        accept_high: 0,
        syn_queue: 0,
        syn_high: 0,
        asked: u32::MAX,
        owner_tgid: 0,
        pad: 0,
        owner_comm: [0; COMM_LEN],
    };
}

/// One SYN or ACK that a listener dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawListenDrop {
    /// When it happened.
    pub header: RawHeader,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Length of the accept queue at that moment.
    pub accept_queue: u32,
    /// Length of the SYN queue at that moment.
    pub syn_queue: u32,
    /// Limit of both queues.
    pub limit: u32,
    /// Address family on the wire; 0: the client is unknown.
    pub family: u16,
    /// The listener's port.
    pub port: u16,
    /// The client's port.
    pub client_port: u16,
    /// One of [`cause`].
    pub cause: u8,
    /// Explicit padding.
    pub pad: u8,
    /// Address that the listener is bound to.
    pub saddr: Address,
    /// Address of the client.
    pub client: Address,
}

const _: () = assert!(size_of::<RawListenDrop>() == 72);

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawListenerKey {}
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawListener {}
}
