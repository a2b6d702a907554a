// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stack signal on fentry.

use aya_ebpf::{macros::fentry, programs::FEntryContext};

use super::stack;

/// proto: int __inet_hash_connect(struct inet_timewait_death_row *, struct sock *, u64 port_offset, ...)
#[fentry(function = "__inet_hash_connect")]
pub fn stack_fentry(ctx: FEntryContext) -> i32 {
    stack::search_entered(&ctx, ctx.arg(1));
    0
}
