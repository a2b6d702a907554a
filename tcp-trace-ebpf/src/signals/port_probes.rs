// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why candidates are refused: on every call of `__inet_check_established`, so only in bursts unless asked otherwise.
//!
//! Every instruction here is run fourteen thousand times in a connect() beyond the parity cliff. So it only counts ports,
//! at the entry, where this CPU keeps them. All that were asked about were refused, but for the last one if it was
//! chosen. The RCU pre-pass (86c2bc293b81) asks about a port twice in a row, which counts once.

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use tcp_trace_common::connect::{RawConnect, flag};

use super::connect_kprobe::arg;
use crate::{
    attempts, calls,
    maps::{SEARCHING, Searching},
};

#[inline(always)]
fn here() -> Option<&'static mut Searching> {
    let searching = SEARCHING.get_ptr_mut(0)?;
    // SAFETY: this CPU's slot; a search that another one comes between finds `sk` changed.
    unsafe { searching.as_mut() }
}

/// A search that is probed begins on this CPU.
#[inline(always)]
pub fn search_entered(sk: u64) {
    if let Some(searching) = here() {
        *searching = Searching { sk, asked: 0, first: 0, last: 0 };
    }
}

/// It ends; `false` if it was not alone here all the time, so that what was counted is not all.
#[inline(always)]
pub fn search_left(sk: u64, attempt: &mut RawConnect) -> bool {
    let Some(searching) = here().filter(|searching| searching.sk == sk) else { return false };
    searching.sk = 0;
    let chosen = attempt.search_ret == 0 && searching.last == attempt.sport;
    attempt.first_candidate = searching.first;
    attempt.refused_candidates = searching.asked - u32::from(chosen && searching.asked != 0);
    true
}

#[inline(always)]
fn candidate(sk: u64, port: u16) {
    let Some(searching) = here() else { return };
    if searching.sk != sk {
        elsewhere(sk);
    } else if searching.last != port {
        searching.last = port;
        searching.asked += 1;
        if searching.first == 0 {
            searching.first = port;
        }
    }
}

/// The search moved to this CPU, or another came between: what it counts is not all.
#[inline(never)]
fn elsewhere(sk: u64) {
    if let Some(attempt) = attempts::find(sk) {
        attempt.flags &= !flag::PROBED;
    }
}

#[inline(always)]
fn time_wait_asked(sk: u64, ret: i32) {
    let Some(attempt) = attempts::find(sk) else { return };
    if attempt.flags & (flag::PROBED | flag::SEARCH_LEFT) != flag::PROBED {
        return;
    }
    if ret == 0 {
        attempt.time_wait_refused += 1;
    } else {
        attempt.time_wait_reused += 1;
    }
}

/// proto: int __inet_check_established(struct inet_timewait_death_row *, struct sock *, __u16 lport, ...)
#[fentry(function = "__inet_check_established")]
pub fn probe_v4_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2));
    0
}

#[fentry(function = "__inet6_check_established")]
pub fn probe_v6_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2));
    0
}

/// proto: int tcp_twsk_unique(struct sock *sk, struct sock *sktw, void *twp)
#[fexit(function = "tcp_twsk_unique")]
pub fn probe_tw_fentry(ctx: FExitContext) -> i32 {
    time_wait_asked(ctx.arg(0), ctx.arg(3));
    0
}

/// On both twins.
#[kprobe]
pub fn probe_check_kprobe(ctx: ProbeContext) -> u32 {
    candidate(arg(&ctx, 1), arg(&ctx, 2) as u16);
    0
}

#[kretprobe]
pub fn probe_tw_kprobe(ctx: RetProbeContext) -> u32 {
    if let Some(call) = calls::current() {
        time_wait_asked(call.sk, ctx.ret());
    }
    0
}
