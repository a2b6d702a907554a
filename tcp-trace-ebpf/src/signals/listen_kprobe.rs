// SPDX-License-Identifier: MIT OR Apache-2.0
//! The listen signal on kprobes and kretprobes, and what only they can do on every tier: functions of more parameters
//! than a trampoline takes on some kernels, and a system call's own arguments.

use aya_ebpf::{
    helpers::bpf_get_current_task,
    macros::{kprobe, kretprobe, tracepoint},
    programs::{ProbeContext, RetProbeContext, TracePointContext},
};
use tcp_trace_common::family;

use super::{connect_kprobe::arg, listen};
use crate::{memory::Untyped, sock};

/// Offsets in the record of syscalls:sys_enter_listen: fixed, `struct syscall_trace_enter`.
const LISTEN_DESCRIPTOR: usize = 16;
const LISTEN_BACKLOG: usize = 24;

#[kprobe]
pub fn syn_enter_kprobe(ctx: ProbeContext) -> u32 {
    listen::syn_arrived(Untyped(arg(&ctx, 2)), arg(&ctx, 3));
    0
}

#[kretprobe]
pub fn syn_exit_kprobe(_: RetProbeContext) -> u32 {
    listen::syn_decided();
    0
}

/// Attached to cookie_v4_init_sequence and cookie_v6_init_sequence.
#[kprobe]
pub fn cookie_kprobe(_: ProbeContext) -> u32 {
    listen::cookie_made();
    0
}

#[kprobe]
pub fn last_ack_v4_kprobe(ctx: ProbeContext) -> u32 {
    listen::last_ack(Untyped(arg(&ctx, 0)), arg(&ctx, 2), family::INET);
    0
}

#[kprobe]
pub fn last_ack_v6_kprobe(ctx: ProbeContext) -> u32 {
    listen::last_ack(Untyped(arg(&ctx, 0)), arg(&ctx, 2), family::INET6);
    0
}

#[kprobe]
pub fn queue_add_kprobe(ctx: ProbeContext) -> u32 {
    listen::queued(Untyped(arg(&ctx, 0)), arg(&ctx, 2));
    0
}

#[kprobe]
pub fn handshake_kprobe(ctx: ProbeContext) -> u32 {
    listen::handshake_ended(Untyped(arg(&ctx, 0)), arg(&ctx, 1), arg(&ctx, 3));
    0
}

/// Attached to the entry: a kretprobe on a call that sleeps runs out of instances.
#[kprobe]
pub fn accept_kprobe(ctx: ProbeContext) -> u32 {
    listen::accepting(Untyped(arg(&ctx, 0)));
    0
}

/// Attached to __inet_lookup_listener and inet6_lookup_listener.
#[kprobe]
pub fn lookup_enter_kprobe(_: ProbeContext) -> u32 {
    listen::looking_up();
    0
}

/// Attached to the returns of both functions: they return the listener.
#[kretprobe]
pub fn lookup_exit_kprobe(ctx: RetProbeContext) -> u32 {
    listen::looked_up(Untyped(ctx.ret()));
    0
}

#[tracepoint(category = "syscalls", name = "sys_enter_listen")]
pub fn listen_call_tp(ctx: TracePointContext) -> u32 {
    // SAFETY: within the record of this tracepoint.
    let (Ok(descriptor), Ok(backlog)) =
        (unsafe { ctx.read_at::<u64>(LISTEN_DESCRIPTOR) }, unsafe { ctx.read_at::<u64>(LISTEN_BACKLOG) })
    else {
        return 0;
    };
    // SAFETY: the helper has no precondition.
    let sk = sock::of_descriptor(unsafe { bpf_get_current_task() } as *mut _, descriptor as u32);
    if sk != 0 && sock::is_tcp(Untyped(sk)) {
        listen::listening(Untyped(sk), backlog as u32);
    }
    0
}
