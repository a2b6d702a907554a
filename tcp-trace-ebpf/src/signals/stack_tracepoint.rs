// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stack signal on the tracepoint tier: the search begins right after SYN_SENT.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use tcp_trace_common::tcp_state;

use super::stack;

/// TP_PROTO(const struct sock *sk, const int oldstate, const int newstate). The connect signal's program on the same
/// tracepoint was attached before this one, so the attempt is there.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn stack_tp(ctx: RawTracePointContext) -> i32 {
    let new_state: u8 = ctx.arg(2);
    if new_state == tcp_state::SYN_SENT {
        stack::search_entered(&ctx, ctx.arg(0));
    }
    0
}
