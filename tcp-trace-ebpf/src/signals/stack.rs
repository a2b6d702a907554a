// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who called `connect()`: the stacks of its thread, taken when the search for a port begins. The tiers call this.
//!
//! It is the last to be attached to its hook and thus the first to run there, so the time that it takes is not in the
//! search's.

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_stack, bpf_probe_read_user},
};
use tcp_trace_common::{
    connect::{RawConnect, flag},
    kind,
    stack::{KERNEL_FRAMES, RawStack, USER_BYTES, taken},
};

use crate::{
    attempts, calls,
    emit::{header, send_filled},
    identity,
    maps::CONNECTING,
    registers,
};

/// The user stack is read in pieces of this size: an unmapped piece, for example beyond its end, is skipped.
const PIECE: usize = 512;

/// A search begins: the current task is the caller of `connect()`, and `sk` its socket.
#[inline(always)]
pub fn search_entered(context: &impl EbpfContext, sk: u64) {
    let Some(attempt) = attempts::find(sk) else { return };
    if let Some(place) = CONNECTING.get_ptr_mut(attempt.tid & (calls::PLACES - 1)) {
        // SAFETY: a live u64. Of two threads that share a place the later one has it, and a reader checks it again.
        unsafe { place.write(sk) };
    }
    send(context, attempt, taken::SEARCH);
}

/// An on-CPU sample of this thread: recorded if the thread is within its `connect()`.
#[inline(always)]
pub fn on_cpu(context: &impl EbpfContext) {
    const IN_THE_CALL: u32 = flag::SEARCH_ENTERED | flag::RETURNED;
    let tid = identity::tid();
    let Some(sk) = CONNECTING.get(tid & (calls::PLACES - 1)).filter(|sk| **sk != 0) else { return };
    let Some(attempt) = attempts::find(*sk) else { return };
    if attempt.tid == tid && attempt.flags & IN_THE_CALL == flag::SEARCH_ENTERED {
        send(context, attempt, taken::ON_CPU);
    }
}

#[inline(always)]
fn send(context: &impl EbpfContext, attempt: &RawConnect, occasion: u32) {
    let (tgid, tid, began_ns) = (attempt.tgid, attempt.tid, attempt.began_ns());
    send_filled(|stack: *mut RawStack| {
        // SAFETY: room for a `RawStack` in the ring buffer. What is not written is not read: see the numbers of bytes.
        unsafe {
            (&raw mut (*stack).header).write(header::<RawStack>(kind::STACK));
            (&raw mut (*stack).began_ns).write(began_ns);
            (&raw mut (*stack).tgid).write(tgid);
            (&raw mut (*stack).tid).write(tid);
            (&raw mut (*stack).taken).write(occasion);
            (&raw mut (*stack).pad).write(0);
            let kernel = (&raw mut (*stack).kernel).cast();
            let bytes = bpf_get_stack(context.as_ptr(), kernel, size_of::<[u64; KERNEL_FRAMES]>() as u32, 0);
            (&raw mut (*stack).kernel_bytes).write(bytes as i32);
        }
        user(stack);
    });
}

/// Copies the user side: registers, and the top of the stack.
#[inline(always)]
fn user(stack: *mut RawStack) {
    let registers::User { ip, sp, bp } = registers::user().unwrap_or(registers::User { ip: 0, sp: 0, bp: 0 });
    let mut bytes = 0;
    // SAFETY: room for a `RawStack`, and each piece is within its `user`.
    unsafe {
        (&raw mut (*stack).ip).write(ip);
        (&raw mut (*stack).sp).write(sp);
        (&raw mut (*stack).bp).write(bp);
        let to = (&raw mut (*stack).user).cast::<u8>();
        while bytes < USER_BYTES {
            if ip == 0 || bpf_probe_read_user(to.add(bytes).cast(), PIECE as u32, (sp + bytes as u64) as *const _) != 0
            {
                break;
            }
            bytes += PIECE;
        }
        (&raw mut (*stack).user_bytes).write(bytes as u32);
    }
}
