// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was made, lost or missed, counted in the kernel: slots of the per-CPU array `COUNTERS`.

/// Connect events written or tried to be written to the ring buffer.
pub const CONNECT_MADE: u32 = 0;
/// Connect events that found the ring buffer full.
pub const CONNECT_RING_FULL: u32 = 1;
/// Attempts that found the map of attempts full: they have no event.
pub const ATTEMPTS_FULL: u32 = 2;
/// Attempts whose return probe was missed (kretprobe without a free instance).
pub const RETURN_MISSED: u32 = 3;
/// TIME_WAIT events written or tried to be written.
pub const TIME_WAIT_MADE: u32 = 4;
/// TIME_WAIT events that found the ring buffer full.
pub const TIME_WAIT_RING_FULL: u32 = 5;
/// Closers or namespaces that found their map full.
pub const TIME_WAIT_MAP_FULL: u32 = 6;
/// System calls or return probes that found the map of calls full.
pub const CALLS_FULL: u32 = 7;
/// Number of slots.
pub const COUNT: u32 = 8;
