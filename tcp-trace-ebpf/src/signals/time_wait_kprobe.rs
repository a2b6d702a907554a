// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time_wait signal on kprobes and kretprobes.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use super::{connect_kprobe::arg, time_wait};
use crate::{memory::Untyped, sock};

/// At the entry, because a return would not have the arguments: whether the namespace is full is asked the way
/// inet_twsk_alloc itself asks; only its running out of memory goes unseen.
#[kprobe]
pub fn tw_alloc_kprobe(ctx: ProbeContext) -> u32 {
    let sk = Untyped(arg(&ctx, 0));
    let full = sock::max_time_wait(sk) != 0 && sock::time_wait_level(sk) >= sock::max_time_wait(sk);
    time_wait::allocated(sk.0, arg(&ctx, 2) as u8, !full);
    time_wait::allocating(sk.0);
    0
}

/// Needed only for the owner: the minisocket is known from here on.
#[kretprobe]
pub fn tw_made_kprobe(ctx: RetProbeContext) -> u32 {
    time_wait::allocation_ended(ctx.ret());
    0
}

#[kprobe]
pub fn tw_kill_kprobe(ctx: ProbeContext) -> u32 {
    time_wait::killed(arg(&ctx, 0));
    0
}

#[kprobe]
pub fn tw_process_enter_kprobe(ctx: ProbeContext) -> u32 {
    time_wait::segment_arrived(arg(&ctx, 0));
    0
}

#[kretprobe]
pub fn tw_process_exit_kprobe(ctx: RetProbeContext) -> u32 {
    time_wait::segment_processed(ctx.ret());
    0
}

#[kprobe]
pub fn tw_closer_kprobe(ctx: ProbeContext) -> u32 {
    time_wait::closing(arg(&ctx, 0), arg(&ctx, 1) as u8);
    0
}
