// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts that ended, added up by who and where: each of them is in one row, or in `CONNECT_OTHER` where its row found
//! no room.
//!
//! There are two maps of rows, of which [`GENERATION`](crate::detail::GENERATION) names the one that is added to. The
//! agent turns to the other one, waits until no program can be at work on the first any more, and empties that.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, outcome};

/// Key of the hash maps `CONNECT_ROWS_0` and `CONNECT_ROWS_1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawRowKey {
    /// When the process began, since boot, suspended time included: a number that is used again is another process. 0 =
    /// not known.
    pub process_start_ns: u64,
    /// Destination.
    pub address: Address,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Thread group.
    pub tgid: u32,
    /// Port of the destination.
    pub port: u16,
    /// Address family on the wire.
    pub family: u16,
    /// By the CPU that the attempt ended on: what all CPUs add to would be one cache line for all of them.
    pub shard: u32,
}

/// Shards at most.
const SHARDS: u32 = 8;

/// Number of shards on a machine with this many CPUs: a power of two.
pub fn shards(cpus: u32) -> u32 {
    cpus.max(1).next_power_of_two().min(SHARDS)
}

/// Buckets of a [`RawSpread`]: a power of two.
pub const BUCKETS: usize = 32;
/// The logarithm that the first bucket is for, of times in nanoseconds: the last one is for 2^39.
pub const FIRST_OF_TIMES: u32 = 8;
/// The logarithm that the first bucket is for, of ports.
pub const FIRST_OF_PORTS: u32 = 0;

/// Number of values by their logarithm to base 2, rounded down. The first and the last bucket also count values beyond
/// them.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawSpread {
    /// Sum of all values.
    pub sum: u64,
    /// The largest value. Of two that end at the same moment it may be the smaller.
    pub max: u64,
    /// Number of values per bucket.
    pub buckets: [u32; BUCKETS],
}

/// A sum, with the number of values that it is made of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawSum {
    /// Number of values.
    pub known: u64,
    /// Sum of all values.
    pub sum: u64,
    /// The largest: see [`RawSpread::max`].
    pub max: u64,
}

/// Attempts of one process towards one destination.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawRow {
    /// Attempts by outcome, by the numbers of [`outcome`].
    pub by_outcome: [u64; outcome::COUNT],
    /// Searches for which it is known whether they went through the second parity.
    pub second_pass_known: u64,
    /// cgroup v2 id of the last caller.
    pub cgroup_id: u64,
    /// Name of the thread that called last.
    pub comm: [u8; COMM_LEN],
    /// User id of the last caller.
    pub uid: u32,
    /// Low end of the range that was searched last; 0: none.
    pub range_low: u16,
    /// High end of that range, inclusive; 0: none.
    pub range_high: u16,
    /// Time from the SYN to the end of the attempt, in ns.
    pub handshake_ns: RawSpread,
    /// Time from the call to the end of the attempt, in ns.
    pub total_ns: RawSpread,
    /// Time in the port search, in ns.
    pub search_ns: RawSpread,
    /// Ports visited.
    pub visited: RawSpread,
    /// Searches of `second_pass_known` that went through the second parity, with or without a port.
    pub second_pass_looked: u64,
    /// Searches of `second_pass_looked` that found a port there.
    pub second_pass: u64,
    /// Searches that found no port; sockets that were bound before are not included.
    pub exhausted: u64,
    /// Attempts given up after SYN retransmits.
    pub unanswered: u64,
    /// Searches of a range that the socket set with IP_LOCAL_PORT_RANGE.
    pub local_range: u64,
    /// SYN retransmits.
    pub syn_retransmits: u64,
    /// Attempts with SYN retransmits.
    pub retransmitted: u64,
    /// Longest handshake of these attempts in ns.
    pub retransmitted_max_ns: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
    /// Longest search in ns that found a port in the first pass. Their number follows: all but those below.
    pub first_pass_search_max_ns: u64,
    /// Time of searches that found a port in the second pass, in ns.
    pub second_pass_search_ns: RawSum,
    /// Time in ns of searches that found none, and of those with unknown pass.
    pub other_search_ns: RawSum,
    /// Ports visited by searches that found a port in the second pass.
    pub second_pass_visited: RawSum,
    /// Candidates refused because a live connection holds the four-tuple, of searches that were probed.
    pub in_use: RawSum,
    /// Candidates refused because of TIME_WAIT.
    pub time_wait: RawSum,
    /// Candidates in TIME_WAIT that were reused.
    pub time_wait_reused: u64,
    /// Candidates skipped without a test, where the ports visited are known.
    pub skipped: u64,
}

impl RawRow {
    /// Number of attempts in the row.
    pub fn attempts(&self) -> u64 {
        self.by_outcome.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }
}

/// The bucket of a value of which this is the logarithm, rounded down; `first` is that of the first bucket.
#[inline(always)]
pub fn bucket_of_log2(log2: u32, first: u32) -> u32 {
    let bucket = log2.saturating_sub(first);
    if bucket < BUCKETS as u32 { bucket } else { BUCKETS as u32 - 1 }
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawRowKey {}
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawRow {}
}
