// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time_wait signal on fentry and fexit.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use super::time_wait;

/// proto: struct inet_timewait_sock *inet_twsk_alloc(const struct sock *sk, struct inet_timewait_death_row *dr, const
/// int state)
#[fexit(function = "inet_twsk_alloc")]
pub fn tw_alloc_fentry(ctx: FExitContext) -> i32 {
    let tw: u64 = ctx.arg(3);
    time_wait::allocated(ctx.arg(0), ctx.arg(2), tw != 0);
    time_wait::inherit(ctx.arg(0), tw);
    0
}

#[fentry(function = "inet_twsk_kill")]
pub fn tw_kill_fentry(ctx: FEntryContext) -> i32 {
    time_wait::killed(ctx.arg(0));
    0
}

#[fentry(function = "tcp_timewait_state_process")]
pub fn tw_process_enter_fentry(ctx: FEntryContext) -> i32 {
    time_wait::segment_arrived(ctx.arg(0));
    0
}

/// 3 parameters; `u32 *tw_isn` since 6.10, `enum skb_drop_reason *` after that.
#[fexit(function = "tcp_timewait_state_process")]
pub fn tw_process_exit_3_fentry(ctx: FExitContext) -> i32 {
    time_wait::segment_processed(ctx.arg(3));
    0
}

#[fexit(function = "tcp_timewait_state_process")]
pub fn tw_process_exit_4_fentry(ctx: FExitContext) -> i32 {
    time_wait::segment_processed(ctx.arg(4));
    0
}

#[fexit(function = "tcp_timewait_state_process")]
pub fn tw_process_exit_5_fentry(ctx: FExitContext) -> i32 {
    time_wait::segment_processed(ctx.arg(5));
    0
}

#[fentry(function = "tcp_set_state")]
pub fn tw_closer_fentry(ctx: FEntryContext) -> i32 {
    time_wait::closing(ctx.arg(0), ctx.arg(1));
    0
}
