// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clock of each CPU, which samples the running thread.

use aya_ebpf::{macros::perf_event, programs::PerfEventContext};

use super::stack;

/// Runs every millisecond of a CPU's time.
#[perf_event]
pub fn stack_on_cpu(ctx: PerfEventContext) -> u32 {
    stack::on_cpu(&ctx);
    0
}
