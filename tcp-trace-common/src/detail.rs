// SPDX-License-Identifier: MIT OR Apache-2.0
//! The current detail of the kernel side: the only element of the array `DETAIL`, written by user space.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The current detail. Words, so that a read during a write returns the old or the new value.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawDetail {
    /// The low half holds the bits below; the high half holds N: one attempt in N is followed, chosen at random. 0 and 1
    /// mean every one; N is a power of two.
    pub word: u64,
    /// Attempts that take longer than this in all are exemplars; 0: none is for that.
    pub slow_total_ns: u64,
    /// Attempts whose port search takes longer than this, in ns, are exemplars; 0: none is for that.
    pub slow_search_ns: u64,
}

/// Events are no longer sent one by one, only added up; exemplars are still sent.
pub const FOLD: u64 = 1 << 0;
/// The agent's own attempts are followed too, whatever the filters, for calibration.
pub const FOLLOW_AGENT: u64 = 1 << 1;
/// Attempts neither begin nor end any more: counts stay as they are, and attempts in progress stay in progress.
pub const STOPPED: u64 = 1 << 2;
/// The generation of rows that programs add to: see [`connect_rows`](crate::connect_rows).
pub const GENERATION: u64 = 1 << 3;
/// Attempts are not sent as exemplars any more.
pub const NO_EXEMPLARS: u64 = 1 << 4;
/// The agent looks at the ring buffer only if it is woken.
pub const ASLEEP: u64 = 1 << 5;
/// Position of N in the word.
pub const ONE_IN_SHIFT: u32 = 32;

/// Exemplars of this second, per CPU: the only element of the per-CPU array `EXEMPLARS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Exemplars {
    /// The second, in units of 2^30 ns.
    pub second: u64,
    /// Number of exemplars sent in it.
    pub sent: u64,
}

/// `second` is the time in ns shifted right by this.
pub const SECOND_SHIFT: u32 = 30;

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::RawDetail {}
}
