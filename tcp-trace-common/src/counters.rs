// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was made, lost or missed, counted in the kernel: slots of the only element of the per-CPU array `COUNTERS`.
//!
//! `CONNECT_MADE` = events delivered + `CONNECT_SUMMED` + `CONNECT_SHED` + `CONNECT_RING_FULL`, and all of them are in the
//! rows.

/// Attempts that ended.
pub const CONNECT_MADE: u32 = 0;
/// Of these, found the ring buffer full.
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
/// Attempts that were to be sent, and were not because detail is being shed.
pub const CONNECT_SHED: u32 = 7;
/// Attempts that were not followed because one in N is: nothing else is known of them.
pub const NOT_FOLLOWED: u32 = 8;
/// Of `SIGNAL_MADE`, not sent because detail is being shed.
pub const SIGNAL_SHED: u32 = 9;
/// Attempts of which no event was asked for.
pub const CONNECT_SUMMED: u32 = 10;
/// Number of slots.
pub const COUNT: usize = 11;
