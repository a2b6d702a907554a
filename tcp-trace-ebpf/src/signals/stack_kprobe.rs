// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stack signal on a kprobe.

use aya_ebpf::{macros::kprobe, programs::ProbeContext};

use super::{connect_kprobe::arg, stack};

/// Attached to `__inet_hash_connect`.
#[kprobe]
pub fn stack_kprobe(ctx: ProbeContext) -> u32 {
    stack::search_entered(&ctx, arg(&ctx, 1));
    0
}
