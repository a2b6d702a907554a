// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bind()`: its port searches, who binds before it connects, and the ports that carry the mark of a `bind()`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, RawHeader};

/// User frames that are kept of a call, the innermost first.
pub const FRAMES: usize = 4;

/// One `bind()` of a TCP socket that needed a port: of its own choice, or of the kernel's (port 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawBind {
    /// `ktime_ns` is the end of the search.
    pub header: RawHeader,
    /// Time in `inet_csk_get_port`; on the tracepoint tier in the whole system call.
    pub took_ns: u64,
    /// cgroup v2 id of the caller.
    pub cgroup_id: u64,
    /// User addresses, by frame pointers; 0: none. Code without frame pointers leaves gaps and random addresses.
    pub frames: [u64; FRAMES],
    /// Thread group of the caller.
    pub tgid: u32,
    /// Thread of the caller.
    pub tid: u32,
    /// User id of the caller.
    pub uid: u32,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// 0 or a negative errno.
    pub ret: i32,
    /// Port passed to `bind()`; 0: any.
    pub port_asked: u16,
    /// Port held afterwards; 0: none.
    pub port_given: u16,
    /// Low end of `net.ipv4.ip_local_port_range`; 0: unknown.
    pub range_low: u16,
    /// High end of that range, inclusive.
    pub range_high: u16,
    /// Address family of the socket.
    pub family: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Local address.
    pub saddr: Address,
    /// Name of the calling thread.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<RawBind>() == 128);

/// Socket options at the time of the bind.
pub mod flag {
    /// SO_REUSEADDR
    pub const REUSE_ADDR: u16 = 1 << 0;
    /// SO_REUSEPORT
    pub const REUSE_PORT: u16 = 1 << 1;
}

/// Process and namespace of binds: key of the hash map `BIND_TOTALS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawBinder {
    /// When the process started, in ns since boot; 0 = not known. A pid that is used again is another process.
    pub process_start_ns: u64,
    /// Thread group.
    pub tgid: u32,
    /// Inode number of the sockets' network namespace.
    pub netns: u32,
}

/// Exact totals of one process in one network namespace, kept whether or not events are streamed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawBindTotals {
    /// Binds with port 0: the kernel searched for a port.
    pub any_port: RawBindCounts,
    /// Binds with an explicit port.
    pub a_port: RawBindCounts,
    /// Binds of `a_port` that succeeded with a port within `ip_local_port_range`.
    pub in_range: u64,
    /// cgroup v2 id at the last bind.
    pub cgroup_id: u64,
    /// Low end of `net.ipv4.ip_local_port_range` at the last bind; 0: unknown.
    pub range_low: u16,
    /// High end of that range, inclusive.
    pub range_high: u16,
    /// User id at the last bind.
    pub uid: u32,
    /// Name of the thread that was first to bind.
    pub comm: [u8; COMM_LEN],
}

/// Counts of one kind of `bind()`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawBindCounts {
    /// Number of calls.
    pub calls: u64,
    /// Calls that failed with EADDRINUSE.
    pub in_use: u64,
    /// Sockets of these calls that called `connect()` afterwards.
    pub connected: u64,
    /// Calls with SO_REUSEADDR or SO_REUSEPORT.
    pub shared: u64,
    /// Total time in ns.
    pub took_ns: u64,
}

/// A call site of `bind()`: key of the hash map `BIND_SITES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawBindSite {
    /// When the process started, in ns since boot; 0 = not known.
    pub process_start_ns: u64,
    /// Thread group.
    pub tgid: u32,
    /// 1 = with port 0.
    pub any_port: u32,
    /// User addresses, as in [`RawBind`].
    pub frames: [u64; FRAMES],
}

/// A socket that is bound and not connected yet: value of the LRU hash map `BOUND`, by the socket's address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Bound {
    /// The process that bound it.
    pub binder: RawBinder,
    /// The port that it got: another socket at that address has another one.
    pub port: u16,
    /// 1 = with port 0.
    pub any_port: u16,
    /// Explicit padding.
    pub pad: u32,
}

/// Slot of the per-CPU array `BIND_TIMES` of [`RawHistogram`](crate::folded::RawHistogram): binds with port 0.
pub const ANY_PORT: u32 = 0;
/// Slot of `BIND_TIMES`: binds with an explicit port.
pub const A_PORT: u32 = 1;
/// Number of slots.
pub const TIMES: u32 = 2;

/// One socket whose port is skipped by every `connect()`, as the iterator over sockets writes it: its bucket carries
/// the mark of a `bind()`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawMark {
    /// Local port.
    pub port: u16,
    /// `inet_bind_bucket.fastreuse`, a signed char.
    pub fastreuse: u8,
    /// `inet_bind_bucket.fastreuseport`, a signed char.
    pub fastreuseport: u8,
    /// State of the socket.
    pub state: u8,
    /// `sock.sk_userlocks`, bits of [`userlock`]; [`userlock::UNKNOWN`] of a minisocket.
    pub userlocks: u8,
    /// Explicit padding.
    pub pad: u16,
}

/// Bits of `sk_userlocks`, `include/net/sock.h`.
pub mod userlock {
    /// Bound to an address by `bind()`.
    pub const BIND_ADDRESS: u8 = 4;
    /// Bound to a port by `bind()`.
    pub const BIND_PORT: u8 = 8;
    /// The port was chosen by `connect()` (6.18 and later).
    pub const CONNECT_BIND: u8 = 16;
    /// Value for a minisocket, which has no such bits.
    pub const UNKNOWN: u8 = 0xff;
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawBinder {}
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawBindTotals {}
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawBindSite {}
}
