// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who looks at changes of state, at inet_sock_set_state: the signals that were asked for in `Config::set_state`; those that
//! are attached in the only element of the array `SET_STATE`, by tier, for which tier a signal is on is found by trying.

/// connect
pub const CONNECT: u64 = 1 << 0;
/// state
pub const STATE: u64 = 1 << 1;
/// bind
pub const BIND: u64 = 1 << 2;

/// Position of the fentry tier's bits in `SET_STATE`; each tier has a program of its own on that tracepoint.
pub const FENTRY: u32 = 0;
/// Position of the kprobe tier's bits in `SET_STATE`.
pub const KPROBE: u32 = 8;
/// Position of the tracepoint tier's bits in `SET_STATE`.
pub const TRACEPOINT: u32 = 16;
