// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bind signal on fentry and fexit.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use super::bind;
use crate::memory::Typed;

/// proto: int inet_csk_get_port(struct sock *sk, unsigned short snum)
#[fentry(function = "inet_csk_get_port")]
pub fn bind_enter_fentry(ctx: FEntryContext) -> i32 {
    bind::entered(Typed(ctx.arg(0)), ctx.arg(1));
    0
}

#[fexit(function = "inet_csk_get_port")]
pub fn bind_exit_fentry(ctx: FExitContext) -> i32 {
    bind::left(&ctx, Typed(ctx.arg(0)), ctx.arg(2));
    0
}
