// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was made, lost or missed, counted in the kernel: slots of the per-CPU array `COUNTERS`.
//!
//! `CONNECT_MADE` = events delivered + `CONNECT_RING_FULL` + `CONNECT_SHED`, and the last two are in the folded totals.

/// Attempts that ended.
pub const CONNECT_MADE: u32 = 0;
/// Of these, found the ring buffer full: folded instead.
pub const CONNECT_RING_FULL: u32 = 1;
/// Attempts that found their set of the table of attempts full: they are in no total.
pub const ATTEMPTS_FULL: u32 = 2;
/// Attempts whose return probe was missed (kretprobe without a free instance).
pub const RETURN_MISSED: u32 = 3;
/// Events of the other signals (see `config::stream`): each was delivered, shed or lost in the ring.
pub const SIGNAL_MADE: u32 = 4;
/// Of these, found the ring buffer full.
pub const SIGNAL_RING_FULL: u32 = 5;
/// What the other signals keep in maps (totals, owners, sockets) that found its map full.
pub const SIGNAL_MAP_FULL: u32 = 6;
/// Attempts that ended and were folded because detail is being shed.
pub const CONNECT_SHED: u32 = 7;
/// Attempts that were not followed because one in N is: nothing else is known of them.
pub const NOT_FOLLOWED: u32 = 8;
/// Folded attempts whose ending found its map full: in the histograms, but in no outcome.
pub const FOLDED_FULL: u32 = 9;
/// Folded: searches that looked at the second parity.
pub const FOLDED_SECOND_PASS: u32 = 10;
/// Folded: searches of which that is known.
pub const FOLDED_SECOND_PASS_KNOWN: u32 = 11;
/// Folded: SYNs sent again.
pub const FOLDED_SYN_RETRANSMITS: u32 = 12;
/// Folded: subflows of MPTCP connections.
pub const FOLDED_MPTCP: u32 = 13;
/// Of `SIGNAL_MADE`, not sent because detail is being shed.
pub const SIGNAL_SHED: u32 = 14;
/// Number of slots.
pub const COUNT: u32 = 15;
