// SPDX-License-Identifier: MIT OR Apache-2.0
//! One program a tier on inet_sock_set_state, for all signals that look at changes of state: to call a program costs as much as
//! most of what they do there. It is a tracepoint in tcp_set_state, and costs half of what a fentry on that function does, and a
//! fraction of a kprobe.
//!
//! TP_PROTO(const struct sock *sk, const int oldstate, const int newstate): before the state is stored, with the socket locked.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use tcp_trace_common::set_state::{BIND, CONNECT, FENTRY, KPROBE, STATE, TRACEPOINT};

use super::{bind, connect, connect_tracepoint, state};
use crate::{
    globals::config,
    maps::SET_STATE,
    memory::{Typed, Untyped},
};

/// Bits of the signals on this tier.
#[derive(Clone, Copy)]
struct On(u64);

impl On {
    #[inline(always)]
    fn tier(shift: u32) -> Self {
        // SAFETY: a live element; volatile, so that it is read once.
        Self(SET_STATE.get_ptr(0).map_or(0, |on| unsafe { on.read_volatile() }) >> shift)
    }

    /// Whether a signal is on; signals that were not requested are constants, so the verifier removes their code.
    #[inline(always)]
    fn has(self, signal: u64) -> bool {
        u64::from(config!(set_state)) & signal != 0 && self.0 & signal != 0
    }
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn set_state_fentry(ctx: BtfTracePointContext) -> i32 {
    let on = On::tier(FENTRY);
    if on.has(STATE) {
        state_changed_typed(Typed(ctx.arg(0)), ctx.arg(1), ctx.arg(2));
    }
    if on.has(BIND) {
        bind::state_changed(Typed(ctx.arg(0)), ctx.arg::<u32>(2) as u8);
    }
    if on.has(CONNECT) {
        connect::state_changed(Typed(ctx.arg(0)), ctx.arg::<u32>(1) as u8, ctx.arg::<u32>(2) as u8);
    }
    0
}

#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn set_state_kprobe(ctx: RawTracePointContext) -> i32 {
    let on = On::tier(KPROBE);
    states_and_binds(&ctx, on);
    if on.has(CONNECT) {
        connect::state_changed(Untyped(ctx.arg(0)), ctx.arg(1), ctx.arg(2));
    }
    0
}

#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn set_state_tp(ctx: RawTracePointContext) -> i32 {
    let on = On::tier(TRACEPOINT);
    states_and_binds(&ctx, on);
    if on.has(CONNECT) {
        connect_tracepoint::state_changed(&ctx);
    }
    0
}

/// Handles changes for the state and bind signals, with untyped pointers.
#[inline(always)]
fn states_and_binds(ctx: &RawTracePointContext, on: On) {
    if on.has(STATE) {
        state_changed(Untyped(ctx.arg(0)), ctx.arg(1), ctx.arg(2));
    }
    if on.has(BIND) {
        bind::state_changed(Untyped(ctx.arg(0)), ctx.arg::<u32>(2) as u8);
    }
}

/// A function of its own, with a stack of its own: the end of an attempt has none to spare.
#[inline(never)]
fn state_changed(sk: Untyped, from: u32, to: u32) {
    state::changed(sk, from as u8, to as u8);
}

/// A function of its own, with a stack of its own: the end of an attempt has none to spare.
#[inline(never)]
fn state_changed_typed(sk: Typed, from: u32, to: u32) {
    state::changed(sk, from as u8, to as u8);
}
