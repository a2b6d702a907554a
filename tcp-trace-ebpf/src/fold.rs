// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts without an event of their own, added up per CPU.

use core::sync::atomic::{AtomicU64, Ordering};

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_trace_common::{
    connect::{RawConnect, flag},
    counters,
    folded::{BUCKETS, HANDSHAKE, PORT_SEARCH, PORTS_VISITED, RawEnding, RawHistogram, TOTAL, bucket},
    phases,
    port_search::{self, Walk},
};

use crate::{
    emit::{count, count_by},
    globals::config,
    maps::{FOLDED_ENDINGS, FOLDED_PHASES},
    memory::add,
};

/// Adds one attempt that ended.
///
/// The functions here stay functions in the object: the verifier joins its paths at a return, and goes through each of
/// them anew otherwise.
#[inline(never)]
pub fn fold(attempt: &RawConnect) {
    count_ending(&RawEnding::of(attempt));
    if let Some(port_search_ns) = phases::port_search_ns(attempt) {
        record(PORT_SEARCH, port_search_ns);
    }
    if let Some(handshake_ns) = phases::handshake_ns(attempt) {
        record(HANDSHAKE, handshake_ns);
        if attempt.flags & flag::RETRANSMITS != 0 {
            count_by(counters::FOLDED_SYN_RETRANSMITS, u64::from(attempt.syn_retransmits));
        }
    }
    if let Some(total_ns) = phases::total_ns(attempt) {
        record(TOTAL, total_ns);
    }
    if attempt.flags & flag::MPTCP != 0 {
        count(counters::FOLDED_MPTCP);
    }
    fold_search(attempt);
}

#[inline(never)]
fn fold_search(attempt: &RawConnect) {
    let walk = Walk {
        socket_range_steps_by_one: config!(socket_range_steps_by_one) != 0,
        perturb_table: config!(perturb_table) != 0,
        seen: config!(searches_seen) != 0,
    };
    let search = port_search::derive(attempt, walk);
    if let Some(second_pass) = search.second_pass {
        count(counters::FOLDED_SECOND_PASS_KNOWN);
        if second_pass {
            count(counters::FOLDED_SECOND_PASS);
        }
    }
    if let Some(visited) = search.visited {
        record(PORTS_VISITED, u64::from(visited));
    }
}

#[inline(never)]
fn count_ending(ending: &RawEnding) {
    if FOLDED_ENDINGS.get_ptr_mut(ending).is_none() {
        // Fails if somebody else was faster, which is as good.
        let _ = FOLDED_ENDINGS.insert(ending, 0, BPF_NOEXIST.into());
    }
    match FOLDED_ENDINGS.get_ptr_mut(ending) {
        // SAFETY: a live value of the map.
        Some(counter) => add(unsafe { &mut *counter }, 1),
        None => count(counters::FOLDED_FULL),
    }
}

#[inline(never)]
fn record(phase: u32, value: u64) {
    if let Some(histogram) = FOLDED_PHASES.get_ptr_mut(phase) {
        record_in(histogram, value);
    }
}

/// Into an element of a per-CPU array.
#[inline(always)]
pub fn record_in(histogram: *mut RawHistogram, value: u64) {
    let index = bucket(value);
    if index >= BUCKETS {
        return;
    }
    // SAFETY: a valid element of the map and an index within it. Counts are only ever changed atomically; for what
    // else may happen to `max` see `RawHistogram`.
    unsafe {
        AtomicU64::from_ptr((&raw mut (*histogram).buckets).cast::<u64>().add(index)).fetch_add(1, Ordering::Relaxed);
        let max = &raw mut (*histogram).max;
        if value > max.read() {
            max.write(value);
        }
    }
}
