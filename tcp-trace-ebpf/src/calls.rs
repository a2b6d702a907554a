// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls under way, by their thread: only where a return is seen without its arguments (kretprobe, system call exit).

use crate::{
    identity,
    maps::{CALLS, Call},
};

/// As many as there are places: a thread has the one that the last bits of its number say. Of two threads that share
/// one the later has it, and the earlier's return is reported as missed.
pub const PLACES: u32 = 16_384;

/// Remembers this thread's call.
#[inline(always)]
pub fn remember(call: Call) {
    let tid = identity::tid();
    if let Some(place) = CALLS.get_ptr_mut(tid & (PLACES - 1)) {
        // SAFETY: a live element, and the only writer but for the case above.
        unsafe { place.write(Call { tid, ..call }) };
    }
}

/// This thread's call.
#[inline(always)]
pub fn current() -> Option<&'static mut Call> {
    let tid = identity::tid();
    let place = CALLS.get_ptr_mut(tid & (PLACES - 1))?;
    // SAFETY: as above.
    unsafe { place.as_mut() }.filter(|call| call.tid == tid)
}

/// Forgets it.
#[inline(always)]
pub fn forget() {
    if let Some(call) = current() {
        call.tid = 0;
    }
}
