// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts that have no event of their own, because the ring buffer was full or detail is being shed: they are added
//! up in the kernel, so that totals stay exact.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::connect::{RawConnect, ended, flag};

/// How an attempt ended: all that its outcome follows from. Key of the per-CPU hash map `FOLDED_ENDINGS`, whose values
/// are counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawEnding {
    /// As in [`RawConnect`].
    pub search_ret: i32,
    /// As in [`RawConnect`].
    pub call_ret: i32,
    /// As in [`RawConnect`].
    pub sk_err: i32,
    /// As in [`RawConnect`], those of [`RawEnding::FLAGS`].
    pub flags: u32,
    /// 1 = a local port was held at the end.
    pub port_held: u16,
    /// 1 = the socket was bound before the search.
    pub bound: u8,
    /// As in [`RawConnect`].
    pub ended_by: u8,
}

impl RawEnding {
    /// Flags that outcomes depend on.
    pub const FLAGS: u32 = flag::SEARCH_ENTERED | flag::SEARCH_LEFT | flag::INTERRUPTED | flag::SYN_SENT | flag::START;

    /// Of this attempt. Nothing but success is kept of one that succeeded, so that these share one key.
    #[inline(always)]
    pub fn of(raw: &RawConnect) -> Self {
        if raw.ended_by == ended::ESTABLISHED {
            return Self { ended_by: ended::ESTABLISHED, ..Self::default() };
        }
        Self {
            search_ret: raw.search_ret,
            call_ret: raw.call_ret,
            sk_err: raw.sk_err,
            flags: raw.flags & Self::FLAGS,
            port_held: u16::from(raw.sport != 0),
            bound: u8::from(raw.bound_port != 0),
            ended_by: raw.ended_by,
        }
    }

    /// An attempt that ended so, with nothing else known.
    pub fn attempt(&self) -> RawConnect {
        RawConnect {
            search_ret: self.search_ret,
            call_ret: self.call_ret,
            sk_err: self.sk_err,
            flags: self.flags,
            sport: self.port_held,
            bound_port: u16::from(self.bound),
            ended_by: self.ended_by,
            ..RawConnect::default()
        }
    }
}

/// Endings that are told apart; more are counted in `FOLDED_FULL`.
pub const ENDINGS: u32 = 256;

/// 32 buckets to a power of two.
pub const GROUPING_POWER: u8 = 5;
/// Values from 2^40 on (18 minutes in ns) count in the last bucket.
pub const MAX_VALUE_POWER: u8 = 40;
/// Buckets of such a histogram.
pub const BUCKETS: usize = (MAX_VALUE_POWER as usize - GROUPING_POWER as usize + 1) << GROUPING_POWER;

/// A log-linear histogram (H2), laid out as the crate `histogram` has it. One of the per-CPU array `FOLDED_PHASES`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawHistogram {
    /// The largest value. Two that end on one CPU at the same moment may leave the smaller: take it for a lower bound
    /// within the last bucket that is not empty.
    pub max: u64,
    /// How many values, by [`bucket`].
    pub buckets: [u64; BUCKETS],
}

/// Slots of `FOLDED_PHASES`: [`port_search_ns`](crate::phases::port_search_ns).
pub const PORT_SEARCH: u32 = 0;
/// [`handshake_ns`](crate::phases::handshake_ns)
pub const HANDSHAKE: u32 = 1;
/// [`total_ns`](crate::phases::total_ns)
pub const TOTAL: u32 = 2;
/// [`PortSearch::visited`](crate::port_search::PortSearch::visited)
pub const PORTS_VISITED: u32 = 3;
/// Number of slots.
pub const PHASES: u32 = 4;

/// The bucket of a value.
#[inline(always)]
pub fn bucket(value: u64) -> usize {
    let value = value.min((1 << MAX_VALUE_POWER) - 1);
    // `| 1`: the logarithm of 0 is not asked for.
    let shift = (63 - (value | 1).leading_zeros()).saturating_sub(GROUPING_POWER as u32);
    ((shift as usize) << GROUPING_POWER) + (value >> shift) as usize
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it).
    unsafe impl aya::Pod for super::RawEnding {}
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::RawHistogram {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bucket() {
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(63), 63);
        assert_eq!(bucket(64), 64);
        assert_eq!(bucket(65), 64);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
