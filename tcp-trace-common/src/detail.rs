// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much the kernel side tells, while it runs: the only slot of the array `DETAIL`, written by user space.
//!
//! The low half holds the bits below; the high half holds N: one attempt in N is followed, chosen at random. 0 and 1
//! mean every one; N is a power of two.

/// Attempts are folded instead of sent: see [`folded`](crate::folded).
pub const FOLD: u64 = 1 << 0;
/// The agent's own attempts are followed too, whatever the filters: it is measuring what that costs.
pub const FOLLOW_AGENT: u64 = 1 << 1;
/// Attempts neither begin nor end any more: what is counted stays as it is, and what is under way stays under way.
pub const STOPPED: u64 = 1 << 2;
/// Where N begins.
pub const ONE_IN_SHIFT: u32 = 32;
