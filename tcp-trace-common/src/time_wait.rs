// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT: minisockets made, left and refused.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, RawHeader};

/// One passage into or out of TIME_WAIT, or one refused because `tcp_max_tw_buckets` is reached.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawTimeWait {
    /// When it happened.
    pub header: RawHeader,
    /// Age of the minisocket in ns; 0 unless it leaves and its entry was seen.
    pub lived_ns: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Thread group that closed first; 0: unknown.
    pub owner_tgid: u32,
    /// Minisockets in this namespace after the event (`tw_count`), `u32::MAX` = not known.
    pub level: u32,
    /// Address family.
    pub family: u16,
    /// Local port.
    pub sport: u16,
    /// Remote port.
    pub dport: u16,
    /// One of [`event`].
    pub event: u8,
    /// Substate on entry: `FIN_WAIT2` or `TIME_WAIT` of [`tcp_state`](crate::tcp_state).
    pub substate: u8,
    /// Explicit padding.
    pub pad: [u8; 4],
    /// Local address.
    pub saddr: Address,
    /// Remote address.
    pub daddr: Address,
    /// Name of the closing thread.
    pub owner_comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<RawTimeWait>() == 96);

/// Events of a minisocket.
pub mod event {
    /// Made by `tcp_time_wait`.
    pub const ENTER: u8 = 1;
    /// Not made: `tcp_max_tw_buckets` is reached, or no memory.
    pub const OVERFLOW: u8 = 2;
    /// The timer expired.
    pub const EXPIRED: u8 = 3;
    /// Taken over by a `connect()` (`TWRecycled` of /proc/net/netstat counts the same).
    pub const REUSED: u8 = 4;
    /// Taken over by an incoming SYN.
    pub const SYN: u8 = 5;
    /// Ended by a RST, or answered by one.
    pub const RESET: u8 = 6;
    /// Ended otherwise: `SOCK_DESTROY`, or its namespace went away; and whatever a segment did, where segments are not
    /// looked at.
    pub const OTHER: u8 = 7;
    /// The peer's FIN came: substate FIN_WAIT2 became TIME_WAIT.
    pub const FIN_RECEIVED: u8 = 8;
    /// Number of kinds, including the unused 0.
    pub const COUNT: usize = 9;
}

/// Exact totals of one network namespace, kept in the kernel whether or not events are streamed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawTimeWaitTotals {
    /// Indexed by [`event`].
    pub events: [u64; event::COUNT],
    /// Entries in substate FIN_WAIT2.
    pub entered_fin_wait2: u64,
    /// `tw_count` after the last event, `u32::MAX` = not known.
    pub level: u32,
    /// `net.ipv4.tcp_max_tw_buckets`, 0 = not known.
    pub max_buckets: u32,
}

/// Exact totals of the minisockets of one [`RawPeer`](crate::peer::RawPeer): of who closed first, towards whom.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawTimeWaitOwner {
    /// Indexed by [`event`].
    pub events: [u64; event::COUNT],
    /// Entries in substate FIN_WAIT2.
    pub entered_fin_wait2: u64,
    /// Entries whose peer sends no timestamps: no `connect()` may reuse these.
    pub entered_without_timestamps: u64,
    /// cgroup v2 id of the owner, 0 = not known.
    pub cgroup_id: u64,
    /// Name of the closing thread.
    pub comm: [u8; COMM_LEN],
}

/// The process that closed first, remembered from `tcp_set_state(FIN_WAIT1)` until the minisocket is created.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct Closer {
    /// When the minisocket was made; 0 before that.
    pub entered_ns: u64,
    /// cgroup v2 id of the closer.
    pub cgroup_id: u64,
    /// When the closer's process started, in ns since boot; 0 = not known.
    pub process_start_ns: u64,
    /// Thread group of the closer, 0 = not known.
    pub tgid: u32,
    /// One of [`side`](crate::peer::side).
    pub side: u8,
    /// Explicit padding.
    pub pad: [u8; 3],
    /// Name of the closing thread.
    pub comm: [u8; COMM_LEN],
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawTimeWaitTotals {}
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawTimeWaitOwner {}
}
