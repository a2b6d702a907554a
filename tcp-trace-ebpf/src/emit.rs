// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only writer to the ring buffer and to the counters.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use tcp_trace_common::RawHeader;

use crate::{
    globals::config,
    maps::{COUNTERS, EVENTS},
};

const RINGBUF_NO_WAKEUP: u64 = 1 << 0;
const RINGBUF_FORCE_WAKEUP: u64 = 1 << 1;
const RINGBUF_AVAIL_DATA: u64 = 0;

/// `CLOCK_MONOTONIC`.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { bpf_ktime_get_ns() }
}

/// The header of an event that happens now.
#[inline(always)]
pub fn header<T>(kind: u16) -> RawHeader {
    RawHeader {
        ktime_ns: now_ns(),
        kind,
        size: size_of::<T>() as u16,
        // SAFETY: the helper has no precondition.
        cpu: unsafe { bpf_get_smp_processor_id() },
    }
}

/// Adds one to a slot of `COUNTERS`.
#[inline(always)]
pub fn count(slot: u32) {
    if let Some(counter) = COUNTERS.get_ptr_mut(slot) {
        // SAFETY: the pointer comes from the map, the slot is this CPU's, and programs are not preempted by others here.
        unsafe { *counter += 1 }
    }
}

/// Sends an event; says in `made` that there was one and in `full` that it was lost.
///
/// User space looks at the ring at every tick of its own, so it is woken only when much is waiting: a wake-up costs
/// more than all the rest of an event.
#[inline(always)]
pub fn emit<T>(event: &T, made: u32, full: u32) {
    count(made);
    let wake = if EVENTS.query(RINGBUF_AVAIL_DATA) >= u64::from(config!(wake_bytes)) {
        RINGBUF_FORCE_WAKEUP
    } else {
        RINGBUF_NO_WAKEUP
    };
    if EVENTS.output::<T>(event, wake).is_err() {
        count(full);
    }
}
