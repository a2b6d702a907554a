// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state signal on kprobes and kretprobes, and on tracepoints alone.

use aya_ebpf::{
    macros::{kprobe, kretprobe, raw_tracepoint},
    programs::{ProbeContext, RawTracePointContext, RetProbeContext},
};

use super::{connect_kprobe::arg, state};
use crate::memory::Untyped;

/// All that the tracepoint tier has.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn state_change_tp(ctx: RawTracePointContext) -> i32 {
    state::changed(Untyped(ctx.arg(0)), ctx.arg(1), ctx.arg(2));
    0
}

#[kretprobe]
pub fn state_accept_kprobe(ctx: RetProbeContext) -> u32 {
    state::accepted(ctx.ret());
    0
}

#[kprobe]
pub fn state_closing_kprobe(ctx: ProbeContext) -> u32 {
    state::closing(Untyped(arg(&ctx, 0)), arg(&ctx, 1) as i64);
    0
}

#[kretprobe]
pub fn state_lingered_kprobe(_ctx: RetProbeContext) -> u32 {
    state::lingered();
    0
}
