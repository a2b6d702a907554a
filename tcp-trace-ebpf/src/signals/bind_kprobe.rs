// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bind signal on a kprobe and a kretprobe.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use super::{bind, connect_kprobe::arg};
use crate::{calls, memory::Untyped};

#[kprobe]
pub fn bind_enter_kprobe(ctx: ProbeContext) -> u32 {
    bind::entered(Untyped(arg(&ctx, 0)), arg(&ctx, 1) as u16);
    0
}

#[kretprobe]
pub fn bind_exit_kprobe(ctx: RetProbeContext) -> u32 {
    if let Some(call) = calls::current() {
        bind::left(&ctx, Untyped(call.sk), ctx.ret());
    }
    0
}
