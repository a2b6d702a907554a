// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was made, lost or missed, counted in the kernel: slots of the only element of the per-CPU array `COUNTERS`.
//!
//! `CONNECT_MADE` = events delivered + `CONNECT_SUMMED` + `CONNECT_SHED` + `CONNECT_RING_FULL`, and all of them are in the
//! rows.

/// Attempts that ended.
pub const CONNECT_MADE: u32 = 0;
/// Attempts of `CONNECT_MADE` that found the ring buffer full.
pub const CONNECT_RING_FULL: u32 = 1;
/// Attempts that found their set of the table of attempts full; they are in no total.
pub const ATTEMPTS_FULL: u32 = 2;
/// Attempts whose return probe was missed (kretprobe without a free instance).
pub const RETURN_MISSED: u32 = 3;
/// Events of the other signals (see `config::stream`): each was delivered, shed or lost in the ring.
pub const SIGNAL_MADE: u32 = 4;
/// Events of `SIGNAL_MADE` that found the ring buffer full.
pub const SIGNAL_RING_FULL: u32 = 5;
/// Entries of other signals (totals, owners, sockets) that found their map full.
pub const SIGNAL_MAP_FULL: u32 = 6;
/// Attempts whose event was wanted, but not sent because detail is shed.
pub const CONNECT_SHED: u32 = 7;
/// Attempts that were not followed because one in N is; nothing else is known of them.
pub const NOT_FOLLOWED: u32 = 8;
/// Events of `SIGNAL_MADE` that were not sent because detail is shed.
pub const SIGNAL_SHED: u32 = 9;
/// Attempts for which no event was requested.
pub const CONNECT_SUMMED: u32 = 10;
/// Number of slots.
pub const COUNT: usize = 11;
