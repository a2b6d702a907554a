// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only writer to the ring buffer and to the counters.

use core::sync::atomic::{AtomicU64, Ordering};

use aya_ebpf::helpers::bpf_ktime_get_ns;
use tcp_trace_common::{RawHeader, counters};

use crate::{
    detail::Detail,
    globals::config,
    maps::{COUNTERS, EVENTS},
    memory::copy_words,
};

const RINGBUF_NO_WAKEUP: u64 = 1 << 0;
const RINGBUF_FORCE_WAKEUP: u64 = 1 << 1;
const RINGBUF_AVAIL_DATA: u64 = 0;

/// `CLOCK_MONOTONIC` in ns.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { bpf_ktime_get_ns() }
}

/// The header of an event that happens now.
#[inline(always)]
pub fn header<T>(kind: u16) -> RawHeader {
    RawHeader { ktime_ns: now_ns(), kind, size: size_of::<T>() as u16, pad: 0 }
}

/// `COUNTERS` of this CPU.
#[derive(Clone, Copy)]
pub struct Counters(*mut u64);

impl Counters {
    #[inline(always)]
    pub fn of_this_cpu() -> Option<Self> {
        COUNTERS.get_ptr_mut(0).map(|counters| Self(counters.cast()))
    }

    /// Adds to a slot, and returns its sum on this CPU. Atomically, because a program in softirq may interrupt.
    #[inline(always)]
    pub fn add(self, slot: u32, more: u64) -> u64 {
        // SAFETY: a slot of the only element: a valid, aligned u64 that is only ever changed so.
        unsafe {
            let counter = self.0.add(slot as usize);
            AtomicU64::from_ptr(counter).fetch_add(more, Ordering::Relaxed);
            counter.read_volatile()
        }
    }
}

/// Adds one to a slot of `COUNTERS`.
#[inline(always)]
pub fn count(slot: u32) {
    count_by(slot, 1);
}

/// Adds to a slot of `COUNTERS`, and returns its sum on this CPU.
#[inline(always)]
pub fn count_by(slot: u32, more: u64) -> u64 {
    Counters::of_this_cpu().map_or(0, |counters| counters.add(slot, more))
}

/// Sends an event, which is made of whole words, the `number`th of its kind on this CPU; counts it in `full` if it
/// was lost.
///
/// While there are events user space looks at the ring at every tick of its own, so it is woken only when much is waiting:
/// a wake-up costs more than all the rest of an event. How much is waiting is asked now and then.
#[inline(always)]
pub fn emit<T: 'static>(event: &T, number: u64, detail: Detail, full: u32) {
    emit_filled(number, detail, full, |place| copy_words(event, place));
}

/// Sends an event that is written in place, because it is too large for the stack. `fill` writes everything that user
/// space reads.
#[inline(always)]
fn emit_filled<T: 'static>(number: u64, detail: Detail, full: u32, fill: impl FnOnce(*mut T)) {
    let asks = number & u64::from(config!(wake_mask)) == 0;
    let much = asks && EVENTS.query(RINGBUF_AVAIL_DATA) >= u64::from(config!(wake_bytes));
    let wake = if much || detail.agent_sleeps() { RINGBUF_FORCE_WAKEUP } else { RINGBUF_NO_WAKEUP };
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        count(full);
        return;
    };
    fill(entry.as_mut_ptr());
    entry.submit(wake);
}

/// Sends an event of a signal other than connect, unless detail is shed.
#[inline(always)]
pub fn send<T: 'static>(event: &T) {
    send_filled(|place| copy_words(event, place));
}

/// Sends an event of a signal other than connect that is too large for the stack: see [`emit_filled`].
#[inline(always)]
pub fn send_filled<T: 'static>(fill: impl FnOnce(*mut T)) {
    let detail = Detail::now();
    if detail.stopped() {
        return;
    }
    let number = count_by(counters::SIGNAL_MADE, 1);
    if detail.folds() {
        count(counters::SIGNAL_SHED);
    } else {
        emit_filled(number, detail, counters::SIGNAL_RING_FULL, fill);
    }
}
