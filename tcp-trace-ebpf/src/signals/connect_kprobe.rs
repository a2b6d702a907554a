// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal on kprobes and kretprobes. A kretprobe does not have the arguments, so the calling thread's
//! socket is kept in `CALLS` from entry to return. Where two hooks ask for the same, one program stands on both.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use super::connect;
use crate::{calls, globals::offset, maps::Call, memory::Untyped, sock};

/// An argument of the probed function. The six register arguments are always there.
#[inline(always)]
pub fn arg(ctx: &ProbeContext, n: usize) -> u64 {
    ctx.arg(n).unwrap_or(0)
}

#[inline(always)]
fn remember(sk: u64, address: u64) {
    calls::remember(Call { start_ns: 0, sk, address, descriptor: 0, syn_sent: 0, tid: 0, binds: 0 });
}

#[inline(always)]
fn enter(ctx: &ProbeContext) {
    let (sk, address) = (arg(ctx, 0), arg(ctx, 1));
    remember(sk, address);
    connect::begin(ctx, Untyped(sk), address);
}

#[inline(always)]
fn exit(ret: i32) {
    if let Some(call) = calls::current() {
        connect::call_returned(Untyped(call.sk), call.address, ret);
    }
}

/// Attached to tcp_v4_connect and tcp_v6_connect.
#[kprobe]
pub fn connect_enter_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

/// Attached to the returns of tcp_v4_connect and tcp_v6_connect.
#[kretprobe]
pub fn connect_exit_kprobe(ctx: RetProbeContext) -> u32 {
    exit(ctx.ret());
    0
}

#[kprobe]
pub fn search_enter_kprobe(ctx: ProbeContext) -> u32 {
    connect::search_entered(Untyped(arg(&ctx, 1)), arg(&ctx, 2));
    0
}

#[kretprobe]
pub fn search_exit_kprobe(ctx: RetProbeContext) -> u32 {
    if let Some(call) = calls::current() {
        connect::search_left(Untyped(call.sk), ctx.ret());
    }
    0
}

/// Attached to the return of `__inet_stream_connect`, which sleeps as long as `connect()` waits: its instances may run
/// out, and an interrupted connect is then reported as abandoned.
#[kretprobe]
pub fn call_exit_kprobe(ctx: RetProbeContext) -> u32 {
    let ret = ctx.ret();
    if connect::is_interruption(ret)
        && let Some(call) = calls::current()
    {
        connect::interrupted(Untyped(call.sk));
    }
    0
}

#[kprobe]
pub fn denied_lsm_enter_kprobe(ctx: ProbeContext) -> u32 {
    remember(arg(&ctx, 0), arg(&ctx, 1));
    0
}

/// The stored value is a `struct socket`: few calls are denied, so the step from there to the sock is left for here.
#[kretprobe]
pub fn denied_lsm_kprobe(ctx: RetProbeContext) -> u32 {
    let ret: i32 = ctx.ret();
    if ret < 0
        && let Some(call) = calls::current()
    {
        connect::denied(sock::of_socket(Untyped(call.sk)), call.address, ret);
    }
    0
}

#[kprobe]
pub fn denied_cgroup_enter_kprobe(ctx: ProbeContext) -> u32 {
    // Both are read in any case: a read at a computed place would be refused.
    let (third, fourth) = (arg(&ctx, 2) as u32, arg(&ctx, 3) as u32);
    let attach_type = if offset!(cgroup_sock_addr_params) == 6 { fourth } else { third };
    let connects =
        attach_type == u32::from(offset!(cgroup_connect4)) || attach_type == u32::from(offset!(cgroup_connect6));
    // For bind() and sendmsg() a socket that is none, so that the return does not take an older call for this one.
    remember(if connects { arg(&ctx, 0) } else { 0 }, arg(&ctx, 1));
    0
}

#[kretprobe]
pub fn denied_cgroup_kprobe(ctx: RetProbeContext) -> u32 {
    let ret: i32 = ctx.ret();
    if ret < 0
        && let Some(call) = calls::current()
    {
        connect::denied(Untyped(call.sk), call.address, ret);
    }
    0
}
