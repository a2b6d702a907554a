// SPDX-License-Identifier: MIT OR Apache-2.0
//! Histograms of all attempts that ended, kept in the kernel.

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
    /// Number of values per [`bucket`].
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

/// The logarithm of a value to base 2, rounded down; of 0 too it is 0.
///
/// BPF has no instruction that counts zeros, and what compilers make of it instead counts bits: half as much again as this.
#[inline(always)]
pub fn log2(value: u64) -> u32 {
    // The highest bit, and all below it.
    let mut bits = value | 1;
    bits |= bits >> 1;
    bits |= bits >> 2;
    bits |= bits >> 4;
    bits |= bits >> 8;
    bits |= bits >> 16;
    bits |= bits >> 32;
    let highest = bits - (bits >> 1);
    u32::from(LOG2[(highest.wrapping_mul(DE_BRUIJN) >> 58) as usize])
}

/// A sequence of bits in which each six that follow one another are others: Leiserson, Prokop, Randall, "Using de Bruijn
/// Sequences to Index a 1 in a Computer Word", 1998.
const DE_BRUIJN: u64 = 0x03f7_9d71_b4cb_0a89;

/// By the six bits that a power of two moves to the top, which one it is.
static LOG2: [u8; 64] = {
    let mut table = [0; 64];
    let mut power = 0;
    while power < 64 {
        table[(DE_BRUIJN.wrapping_shl(power) >> 58) as usize] = power as u8;
        power += 1;
    }
    table
};

/// The bucket of a value.
#[inline(always)]
pub fn bucket(value: u64) -> usize {
    bucket_by_log2(value, log2(value))
}

/// The bucket of a value whose logarithm is known.
#[inline(always)]
pub fn bucket_by_log2(value: u64, log2: u32) -> usize {
    let shift = log2.saturating_sub(GROUPING_POWER as u32);
    let bucket = ((shift as usize) << GROUPING_POWER) + (value >> shift) as usize;
    if bucket < BUCKETS { bucket } else { BUCKETS - 1 }
}

/// The least value of a bucket.
pub fn least(bucket: usize) -> u64 {
    let shift = (bucket >> GROUPING_POWER).saturating_sub(1);
    ((bucket - (shift << GROUPING_POWER)) as u64) << shift
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::RawHistogram {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_highest_bit() {
        assert_eq!(log2(0), 0);
        for power in 0..64 {
            assert_eq!(log2(1 << power), power);
            assert_eq!(log2(u64::MAX >> (63 - power)), power);
        }
    }

    #[test]
    fn every_value_has_a_bucket() {
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(63), 63);
        assert_eq!(bucket(64), 64);
        assert_eq!(bucket(65), 64);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_least_of_each_bucket_is_in_it() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(least(index)), index);
            assert!(index == 0 || bucket(least(index) - 1) == index - 1);
        }
    }
}
