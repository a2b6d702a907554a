// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chooses attempts that are sent as events when not every attempt is: the notable ones, and a few at random.

use tcp_trace_common::{
    connect::RawConnect,
    detail::{Exemplars, SECOND_SHIFT},
    phases,
};

use crate::{
    fold::{FAILED, FRESH, RETRANSMITTED, SECOND_PASS},
    globals::config,
    maps::{DETAIL, EXEMPLARS},
};

/// Whether this attempt is an exemplar: the `number`th on this CPU, with the bits `notable` from `fold`.
#[inline(never)]
pub fn is_one(attempt: &RawConnect, number: u64, notable: u32) -> bool {
    // Many failures leave room for what is slow, and these for the usual.
    let most = if notable & (SECOND_PASS | RETRANSMITTED) != 0 || is_slow(attempt) {
        config!(exemplars)
    } else if notable & FAILED != 0 {
        config!(exemplars) / 4 * 3
    } else if notable & FRESH != 0 || is_sampled(number) {
        config!(exemplars) / 2
    } else {
        return false;
    };
    let Some(window) = EXEMPLARS.get_ptr_mut(0) else { return false };
    // SAFETY: this CPU's element; where softirqs come in between, one more is sent.
    let window: &mut Exemplars = unsafe { &mut *window };
    let second = attempt.header.ktime_ns >> SECOND_SHIFT;
    if window.second != second {
        (window.second, window.sent) = (second, 0);
    }
    if window.sent >= u64::from(most) {
        return false;
    }
    window.sent += 1;
    true
}

#[inline(always)]
fn is_slow(attempt: &RawConnect) -> bool {
    let Some(detail) = DETAIL.get(0) else { return false };
    let longer = |limit: u64, took: Option<u64>| limit != 0 && took.is_some_and(|took| took > limit);
    longer(detail.slow_total_ns, phases::total_ns(attempt))
        || (config!(searches_seen) != 0 && longer(detail.slow_search_ns, phases::port_search_ns(attempt)))
}

/// Whether this is the random one in N: in an order that cannot coincide with a program's own pattern.
#[inline(always)]
fn is_sampled(number: u64) -> bool {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - config!(exemplar_one_in_log2)) == 0
}
