// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state signal on kprobes and kretprobes; changes of state are seen in `set_state`.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use super::{connect_kprobe::arg, state};
use crate::memory::Untyped;

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
