// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why candidates are refused: on every call of `__inet_check_established`, so only in bursts unless asked otherwise.
//!
//! A candidate counts as refused when the return value is negative, in every generation: the RCU pre-pass (86c2bc293b81)
//! returns 0 for a TIME_WAIT match and is asked again under the lock.

use aya_ebpf::{
    macros::{fexit, kretprobe},
    programs::{FExitContext, RetProbeContext},
};
use tcp_trace_common::connect::{RawConnect, flag};

use super::{connect, connect_kprobe::called};
use crate::memory::Untyped;

/// The attempt on this socket, if its search is under way and was probed from its start.
#[inline(always)]
fn searching(sk: u64) -> Option<&'static mut RawConnect> {
    connect::attempt(Untyped(sk)).filter(|attempt| attempt.flags & (flag::PROBED | flag::SEARCH_LEFT) == flag::PROBED)
}

#[inline(always)]
fn candidate(sk: u64, port: u16, ret: i32) {
    let Some(attempt) = searching(sk) else { return };
    if attempt.first_candidate == 0 {
        attempt.first_candidate = port;
    }
    if ret < 0 {
        attempt.refused_candidates += 1;
    }
}

#[inline(always)]
fn time_wait_asked(sk: u64, ret: i32) {
    let Some(attempt) = searching(sk) else { return };
    if ret == 0 {
        attempt.time_wait_refused += 1;
    } else {
        attempt.time_wait_reused += 1;
    }
}

/// proto: int __inet_check_established(struct inet_timewait_death_row *, struct sock *, __u16 lport, struct
/// inet_timewait_sock **twp[, bool rcu_lookup, u32 hash]); `twp` must not be touched, the verifier of 5.10-6.12
/// refuses to.
#[fexit(function = "__inet_check_established")]
pub fn probe_v4_4_fentry(ctx: FExitContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), ctx.arg(4));
    0
}

#[fexit(function = "__inet_check_established")]
pub fn probe_v4_6_fentry(ctx: FExitContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), ctx.arg(6));
    0
}

#[fexit(function = "__inet6_check_established")]
pub fn probe_v6_4_fentry(ctx: FExitContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), ctx.arg(4));
    0
}

#[fexit(function = "__inet6_check_established")]
pub fn probe_v6_6_fentry(ctx: FExitContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), ctx.arg(6));
    0
}

/// proto: int tcp_twsk_unique(struct sock *sk, struct sock *sktw, void *twp)
#[fexit(function = "tcp_twsk_unique")]
pub fn probe_tw_fentry(ctx: FExitContext) -> i32 {
    time_wait_asked(ctx.arg(0), ctx.arg(3));
    0
}

/// The port is not known at the return; a search whose first candidate is unknown counts refusals all the same.
#[inline(always)]
fn returned(ret: i32) {
    if let Some(call) = called() {
        candidate(call.sk, 0, ret);
    }
}

/// On both twins.
#[kretprobe]
pub fn probe_check_kprobe(ctx: RetProbeContext) -> u32 {
    returned(ctx.ret());
    0
}

#[kretprobe]
pub fn probe_tw_kprobe(ctx: RetProbeContext) -> u32 {
    if let Some(call) = called() {
        time_wait_asked(call.sk, ctx.ret());
    }
    0
}
