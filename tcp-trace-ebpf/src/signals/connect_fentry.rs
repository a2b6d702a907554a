// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal on fentry, fexit and tracepoints with types.

use aya_ebpf::{
    macros::{btf_tracepoint, fentry, fexit},
    programs::{BtfTracePointContext, FEntryContext, FExitContext},
};

use super::connect;
use crate::{globals::offset, memory::Typed, sock};

/// proto: int tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)
#[fentry(function = "tcp_v4_connect")]
pub fn connect_v4_enter_fentry(ctx: FEntryContext) -> i32 {
    connect::begin(&ctx, Typed(ctx.arg(0)), ctx.arg(1));
    0
}

/// proto: int tcp_v6_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len). For a v4-mapped destination it
/// calls tcp_v4_connect, which begins the same attempt anew.
#[fentry(function = "tcp_v6_connect")]
pub fn connect_v6_enter_fentry(ctx: FEntryContext) -> i32 {
    connect::begin(&ctx, Typed(ctx.arg(0)), ctx.arg(1));
    0
}

#[fentry(function = "__inet_hash_connect")]
pub fn search_enter_fentry(ctx: FEntryContext) -> i32 {
    connect::search_entered(Typed(ctx.arg(1)), ctx.arg(2));
    0
}

/// The return value follows the parameters, of which there are 4, or 5 since `hash_port0` (d4438ce68bf1). A program for
/// each: the compiler would join two reads into one at a computed place, which the verifier refuses.
#[fexit(function = "__inet_hash_connect")]
pub fn search_exit_4_fentry(ctx: FExitContext) -> i32 {
    connect::search_left(Typed(ctx.arg(1)), ctx.arg(4));
    0
}

#[fexit(function = "__inet_hash_connect")]
pub fn search_exit_5_fentry(ctx: FExitContext) -> i32 {
    connect::search_left(Typed(ctx.arg(1)), ctx.arg(5));
    0
}

/// proto: int __inet_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags, int
/// is_sendmsg)
#[fexit(function = "__inet_stream_connect")]
pub fn call_exit_fentry(ctx: FExitContext) -> i32 {
    connect::call_ended(sock::of_socket(Typed(ctx.arg(0))), ctx.arg(1), ctx.arg(5));
    0
}

/// A tracepoint in tcp_v4_destroy_sock.
#[btf_tracepoint(function = "tcp_destroy_sock")]
pub fn destroy_fentry(ctx: BtfTracePointContext) -> i32 {
    connect::destroyed(Typed(ctx.arg(0)));
    0
}

/// proto: int security_socket_connect(struct socket *sock, struct sockaddr *address, int addrlen)
#[fexit(function = "security_socket_connect")]
pub fn denied_lsm_fentry(ctx: FExitContext) -> i32 {
    let ret: i32 = ctx.arg(3);
    if ret < 0 {
        connect::denied(sock::of_socket(Typed(ctx.arg(0))), ctx.arg(1), ret);
    }
    0
}

/// proto: int __cgroup_bpf_run_filter_sock_addr(struct sock *sk, struct sockaddr *uaddr, [int *uaddrlen,] enum
/// cgroup_bpf_attach_type atype, void *t_ctx, u32 *flags). Called for bind() and sendmsg() too, and only where a
/// cgroup has such a program.
#[fexit(function = "__cgroup_bpf_run_filter_sock_addr")]
pub fn denied_cgroup_4_fentry(ctx: FExitContext) -> i32 {
    denied_by_cgroup(Typed(ctx.arg(0)), ctx.arg(1), ctx.arg(2), ctx.arg(4));
    0
}

/// With `flags` (after 5.10).
#[fexit(function = "__cgroup_bpf_run_filter_sock_addr")]
pub fn denied_cgroup_5_fentry(ctx: FExitContext) -> i32 {
    denied_by_cgroup(Typed(ctx.arg(0)), ctx.arg(1), ctx.arg(2), ctx.arg(5));
    0
}

/// With `uaddrlen`, since fefba7d1ae19 (6.7).
#[fexit(function = "__cgroup_bpf_run_filter_sock_addr")]
pub fn denied_cgroup_6_fentry(ctx: FExitContext) -> i32 {
    denied_by_cgroup(Typed(ctx.arg(0)), ctx.arg(1), ctx.arg(3), ctx.arg(6));
    0
}

#[inline(always)]
fn denied_by_cgroup(sk: Typed, address: u64, attach_type: u32, ret: i32) {
    let connects =
        attach_type == u32::from(offset!(cgroup_connect4)) || attach_type == u32::from(offset!(cgroup_connect6));
    if ret < 0 && connects {
        connect::denied(sk, address, ret);
    }
}
