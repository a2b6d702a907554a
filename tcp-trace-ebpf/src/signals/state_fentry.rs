// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state signal on fentry and fexit; changes of state are seen in `set_state`.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use super::state;
use crate::memory::Typed;

/// proto: struct sock *inet_csk_accept(struct sock *sk, int flags, int *err, bool kern)
#[fexit(function = "inet_csk_accept")]
pub fn state_accept_4_fentry(ctx: FExitContext) -> i32 {
    state::accepted(ctx.arg(4));
    0
}

/// proto: struct sock *inet_csk_accept(struct sock *sk, struct proto_accept_arg *arg), since 92ef0fd55ac8 (6.10)
#[fexit(function = "inet_csk_accept")]
pub fn state_accept_2_fentry(ctx: FExitContext) -> i32 {
    state::accepted(ctx.arg(2));
    0
}

#[fentry(function = "tcp_close")]
pub fn state_closing_fentry(ctx: FEntryContext) -> i32 {
    state::closing(Typed(ctx.arg(0)), ctx.arg(1));
    0
}

#[fexit(function = "tcp_close")]
pub fn state_lingered_fentry(ctx: FExitContext) -> i32 {
    if ctx.arg::<i64>(1) > 0 {
        state::lingered();
    }
    0
}
