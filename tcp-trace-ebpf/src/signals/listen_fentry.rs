// SPDX-License-Identifier: MIT OR Apache-2.0
//! The listen signal on fentry and fexit.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use tcp_trace_common::family;

use super::listen;
use crate::memory::Typed;

#[fentry(function = "tcp_conn_request")]
pub fn syn_enter_fentry(ctx: FEntryContext) -> i32 {
    listen::syn_arrived(Typed(ctx.arg(2)), ctx.arg(3));
    0
}

#[fexit(function = "tcp_conn_request")]
pub fn syn_exit_fentry(_: FExitContext) -> i32 {
    listen::syn_decided();
    0
}

#[fentry(function = "cookie_v4_init_sequence")]
pub fn cookie_v4_fentry(_: FEntryContext) -> i32 {
    listen::cookie_made();
    0
}

#[fentry(function = "cookie_v6_init_sequence")]
pub fn cookie_v6_fentry(_: FEntryContext) -> i32 {
    listen::cookie_made();
    0
}

#[fentry(function = "tcp_v4_syn_recv_sock")]
pub fn last_ack_v4_fentry(ctx: FEntryContext) -> i32 {
    listen::last_ack(Typed(ctx.arg(0)), ctx.arg(2), family::INET);
    0
}

#[fentry(function = "tcp_v6_syn_recv_sock")]
pub fn last_ack_v6_fentry(ctx: FEntryContext) -> i32 {
    listen::last_ack(Typed(ctx.arg(0)), ctx.arg(2), family::INET6);
    0
}

#[fentry(function = "inet_csk_reqsk_queue_add")]
pub fn queue_add_fentry(ctx: FEntryContext) -> i32 {
    listen::queued(Typed(ctx.arg(0)), ctx.arg(2));
    0
}

#[fentry(function = "inet_csk_complete_hashdance")]
pub fn handshake_fentry(ctx: FEntryContext) -> i32 {
    listen::handshake_ended(Typed(ctx.arg(0)), ctx.arg(1), ctx.arg(3));
    0
}

/// proto: struct sock *inet_csk_accept(struct sock *sk, int flags, int *err, bool kern); since 92ef0fd55ac8 (6.10)
/// (struct sock *sk, struct proto_accept_arg *arg).
#[fexit(function = "inet_csk_accept")]
pub fn accept_4_fentry(ctx: FExitContext) -> i32 {
    if ctx.arg::<u64>(4) != 0 {
        listen::accepted(Typed(ctx.arg(0)));
    }
    0
}

#[fexit(function = "inet_csk_accept")]
pub fn accept_2_fentry(ctx: FExitContext) -> i32 {
    if ctx.arg::<u64>(2) != 0 {
        listen::accepted(Typed(ctx.arg(0)));
    }
    0
}
