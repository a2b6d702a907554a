// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why candidates are refused: on every call of `__inet_check_established`, so only in bursts unless asked otherwise.
//!
//! Every instruction here is run fourteen thousand times in a connect() beyond the parity cliff. So one search at a time
//! is probed, the next one that begins when the last has ended, and its ports are only counted, at the entry. All that
//! were asked about were refused, but for the last one if it was chosen.

use core::{
    ptr::addr_of_mut,
    sync::atomic::{AtomicU64, Ordering},
};

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use tcp_trace_common::connect::{RawConnect, flag};

use super::connect_kprobe::arg;
use crate::{attempts, calls, emit::now_ns};

/// The search that is probed. On a cache line of its own: every other search reads it, and only its start and end write
/// it.
#[repr(C, align(64))]
struct Probed {
    /// Its socket; 0: none.
    sk: u64,
    /// Claims: the search that counts it from 0 to 1 owns it.
    claims: u64,
    since_ns: u64,
}

/// Counts of its candidates.
#[repr(C, align(64))]
struct Asked {
    ports: u64,
    first: u16,
    last: u16,
}

#[unsafe(no_mangle)]
static mut PROBED: Probed = Probed { sk: 0, claims: 0, since_ns: 0 };

#[unsafe(no_mangle)]
static mut ASKED: Asked = Asked { ports: 0, first: 0, last: 0 };

/// Time in ns after which a search whose end was missed is abandoned.
const GIVEN_UP_NS: u64 = 1_000_000_000;

/// A search begins; returns whether it is the probed one.
#[inline(always)]
pub fn search_entered(sk: u64) -> bool {
    let (probed, asked, now_ns) = (addr_of_mut!(PROBED), addr_of_mut!(ASKED), now_ns());
    // SAFETY: statics; only who has the claim writes, but for one that is long overdue.
    unsafe {
        let claims = &raw mut (*probed).claims;
        if claims.read_volatile() == 0 {
            AtomicU64::from_ptr(claims).fetch_add(1, Ordering::Relaxed);
            if claims.read_volatile() != 1 {
                AtomicU64::from_ptr(claims).fetch_add(u64::MAX, Ordering::Relaxed);
                return false;
            }
        } else if now_ns.wrapping_sub((&raw const (*probed).since_ns).read_volatile()) < GIVEN_UP_NS {
            return false;
        }
        (&raw mut (*probed).since_ns).write_volatile(now_ns);
        (&raw mut (*asked).ports).write_volatile(0);
        (&raw mut (*asked).first).write_volatile(0);
        (&raw mut (*asked).last).write_volatile(0);
        (&raw mut (*probed).sk).write_volatile(sk);
    }
    true
}

/// The probed search ends; `false` if it was abandoned before.
#[inline(always)]
pub fn search_left(sk: u64, attempt: &mut RawConnect) -> bool {
    let (probed, asked) = (addr_of_mut!(PROBED), addr_of_mut!(ASKED));
    // SAFETY: statics; only who has the claim writes, but for one that is long overdue.
    unsafe {
        if (&raw const (*probed).sk).read_volatile() != sk {
            return false;
        }
        let ports = (&raw const (*asked).ports).read_volatile() as u32;
        let chosen = attempt.search_ret == 0 && (&raw const (*asked).last).read_volatile() == attempt.sport;
        attempt.first_candidate = (&raw const (*asked).first).read_volatile();
        attempt.refused_candidates = ports - u32::from(chosen && ports != 0);
        (&raw mut (*probed).sk).write_volatile(0);
        AtomicU64::from_ptr(&raw mut (*probed).claims).fetch_add(u64::MAX, Ordering::Relaxed);
    }
    true
}

/// Counts a candidate. `twice`: since the RCU pre-pass (86c2bc293b81) a port may be tested twice in a row, which counts
/// once.
#[inline(always)]
fn candidate(sk: u64, port: u16, twice: bool) {
    let (probed, asked) = (addr_of_mut!(PROBED), addr_of_mut!(ASKED));
    // SAFETY: statics; what was asked is written by the one search that is probed.
    unsafe {
        if (&raw const (*probed).sk).read_volatile() != sk {
            return;
        }
        let last = &raw mut (*asked).last;
        if twice && last.read_volatile() == port {
            return;
        }
        let ports = (&raw const (*asked).ports).read_volatile();
        if ports == 0 {
            (&raw mut (*asked).first).write_volatile(port);
        }
        (&raw mut (*asked).ports).write_volatile(ports + 1);
        last.write_volatile(port);
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

/// proto: int __inet_check_established(struct inet_timewait_death_row *, struct sock *, __u16 lport, struct
/// inet_timewait_sock **twp[, bool rcu_lookup, u32 hash])
#[fentry(function = "__inet_check_established")]
pub fn probe_v4_4_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), false);
    0
}

#[fentry(function = "__inet_check_established")]
pub fn probe_v4_6_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), true);
    0
}

#[fentry(function = "__inet6_check_established")]
pub fn probe_v6_4_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), false);
    0
}

#[fentry(function = "__inet6_check_established")]
pub fn probe_v6_6_fentry(ctx: FEntryContext) -> i32 {
    candidate(ctx.arg(1), ctx.arg(2), true);
    0
}

/// proto: int tcp_twsk_unique(struct sock *sk, struct sock *sktw, void *twp)
#[fexit(function = "tcp_twsk_unique")]
pub fn probe_tw_fentry(ctx: FExitContext) -> i32 {
    time_wait_asked(ctx.arg(0), ctx.arg(3));
    0
}

/// Attached to __inet_check_established and __inet6_check_established.
#[kprobe]
pub fn probe_check_kprobe(ctx: ProbeContext) -> u32 {
    candidate(arg(&ctx, 1), arg(&ctx, 2) as u16, true);
    0
}

#[kretprobe]
pub fn probe_tw_kprobe(ctx: RetProbeContext) -> u32 {
    if let Some(call) = calls::current() {
        time_wait_asked(call.sk, ctx.ret());
    }
    0
}
