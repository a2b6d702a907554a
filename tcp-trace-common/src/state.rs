// SPDX-License-Identifier: MIT OR Apache-2.0
//! States of TCP sockets: how long they last, how they end, and whose they are.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, RawHeader};

/// A socket went from one state to another.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawState {
    /// When it happened.
    pub header: RawHeader,
    /// In the state that it left; 0 = not known, for it was entered before the tracing began.
    pub in_state_ns: u64,
    /// cgroup v2 id of the owner, 0 = not known.
    pub cgroup_id: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Thread group of the owner, 0 = not known.
    pub tgid: u32,
    /// Address family on the wire.
    pub family: u16,
    /// Local port.
    pub sport: u16,
    /// Remote port.
    pub dport: u16,
    /// The state that it left, one of [`tcp_state`](crate::tcp_state).
    pub from: u8,
    /// The state that it entered.
    pub to: u8,
    /// One of [`side`](crate::peer::side).
    pub side: u8,
    /// One of [`end`].
    pub end: u8,
    /// Explicit padding.
    pub pad: [u8; 6],
    /// Local address.
    pub saddr: Address,
    /// Remote address.
    pub daddr: Address,
    /// Name of the owner's thread.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<RawState>() == 104);

/// Ends of a connection other than by FINs.
pub mod end {
    /// The connection did not end, or ended with FINs.
    pub const USUAL: u8 = 0;
    /// Closed with SO_LINGER of 0 s: a RST is sent, and what was not delivered is thrown away.
    pub const LINGER_RESET: u8 = 1;
    /// Closed while received data had not been read: a RST is sent.
    pub const UNREAD_RESET: u8 = 2;
    /// The peer sent a RST.
    pub const PEER_RESET: u8 = 3;
    /// The peer did not answer any more.
    pub const TIMED_OUT: u8 = 4;
}

/// Slots for states; more than there are, so that a masked state is always within.
pub const STATES: usize = 16;
/// Slots for lives: see [`life_slot`].
pub const LIVES: usize = 32;

/// One state of all sockets under one key. Those that were in it before the tracing began are not among them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawInState {
    /// Sockets in the state now.
    pub inside: u64,
    /// Sum of the times at which these entered the state, in ns; overflows on purpose.
    pub inside_since_ns: u64,
    /// Sockets that left the state.
    pub left: u64,
    /// Total time in the state of these, in ns.
    pub ns: u64,
    /// Longest time in the state in ns. Of two that leave at the same moment it may be the shorter.
    pub max_ns: u64,
}

/// Exact totals under one [`RawPeer`](crate::peer::RawPeer), kept in the kernel whether or not events are streamed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RawStateTotals {
    /// Indexed by [`tcp_state`](crate::tcp_state).
    pub states: [RawInState; STATES],
    /// Connections by how long they were ESTABLISHED: see [`life_slot`].
    pub lives: [u64; LIVES],
    /// cgroup v2 id of the owner, 0 = not known.
    pub cgroup_id: u64,
    /// Connections that were established.
    pub opened: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Connections of `closed` that the owner closed first.
    pub closed_first: u64,
    /// Connections of `closed` that the peer closed first.
    pub peer_closed_first: u64,
    /// Connections of `closed` with [`end::LINGER_RESET`].
    pub linger_resets: u64,
    /// Connections of `closed` with [`end::UNREAD_RESET`].
    pub unread_resets: u64,
    /// Connections of `closed` with [`end::PEER_RESET`].
    pub peer_resets: u64,
    /// Connections of `closed` with [`end::TIMED_OUT`].
    pub timed_out: u64,
    /// Bytes received by them.
    pub bytes_received: u64,
    /// Bytes sent by them and acknowledged.
    pub bytes_acked: u64,
    /// close() with an SO_LINGER that lets it wait.
    pub lingering: u64,
    /// Total time of these calls, in ns.
    pub lingering_ns: u64,
    /// The longest of them.
    pub lingering_max_ns: u64,
    /// Name of the owner's thread.
    pub comm: [u8; COMM_LEN],
}

/// By powers of two of a microsecond: slot n holds less than 2^n us, the last one all the rest.
#[inline(always)]
pub fn life_slot(ns: u64) -> usize {
    let us = ns / 1_000;
    (u64::BITS - us.leading_zeros()).min(LIVES as u32 - 1) as usize
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding: all fields are u64 but the last, of two words.
    unsafe impl aya::Pod for super::RawStateTotals {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_life_has_a_slot() {
        assert_eq!((life_slot(0), life_slot(999), life_slot(1_000), life_slot(3_999)), (0, 0, 1, 2));
        assert_eq!(life_slot(u64::MAX), LIVES - 1);
    }
}
