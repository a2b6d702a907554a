// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls in progress, by thread, for returns without arguments (kretprobe, system call exit).

use crate::{
    identity,
    maps::{CALLS, Call},
};

/// Number of places: a thread uses the one of the last bits of its id. Of two threads that share one the later one has
/// it, and the earlier one's return is reported as missed.
pub const PLACES: u32 = 16_384;

/// Stores this thread's call.
#[inline(always)]
pub fn remember(call: Call) {
    let tid = identity::tid();
    if let Some(place) = CALLS.get_ptr_mut(tid & (PLACES - 1)) {
        // SAFETY: a live element, and the only writer but for the case above.
        unsafe { place.write(Call { tid, ..call }) };
    }
}

/// This thread's stored call.
#[inline(always)]
pub fn current() -> Option<&'static mut Call> {
    let tid = identity::tid();
    let place = CALLS.get_ptr_mut(tid & (PLACES - 1))?;
    // SAFETY: a live element, and the only writer but for the case above.
    unsafe { place.as_mut() }.filter(|call| call.tid == tid)
}

/// Releases this thread's place.
#[inline(always)]
pub fn forget() {
    if let Some(call) = current() {
        call.tid = 0;
    }
}
