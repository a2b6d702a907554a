// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much the kernel side tells, while it runs: the only element of the array `DETAIL`, written by user space.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is told. Words, so that whoever reads one while they are written sees it as it was or as it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawDetail {
    /// The low half holds the bits below; the high half holds N: one attempt in N is followed, chosen at random. 0 and 1
    /// mean every one; N is a power of two.
    pub word: u64,
    /// Attempts that take longer than this in all are exemplars; 0: none is for that.
    pub slow_total_ns: u64,
    /// The same of the port search.
    pub slow_search_ns: u64,
}

/// What happens one by one is not sent any more, only added up; exemplars are.
pub const FOLD: u64 = 1 << 0;
/// The agent's own attempts are followed too, whatever the filters: it is measuring what that costs.
pub const FOLLOW_AGENT: u64 = 1 << 1;
/// Attempts neither begin nor end any more: what is counted stays as it is, and what is under way stays under way.
pub const STOPPED: u64 = 1 << 2;
/// Which map of rows is added to: see [`connect_rows`](crate::connect_rows).
pub const GENERATION: u64 = 1 << 3;
/// Attempts are not sent as exemplars any more.
pub const NO_EXEMPLARS: u64 = 1 << 4;
/// The agent looks at the ring buffer only if it is woken.
pub const ASLEEP: u64 = 1 << 5;
/// Where N begins.
pub const ONE_IN_SHIFT: u32 = 32;

/// Exemplars of this second, per CPU: the only element of the per-CPU array `EXEMPLARS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Exemplars {
    /// Which second: of 2^30 ns.
    pub second: u64,
    /// How many so far.
    pub sent: u64,
}

/// `second` is the time shifted by this.
pub const SECOND_SHIFT: u32 = 30;

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::RawDetail {}
}
