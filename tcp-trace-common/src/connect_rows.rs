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

/// Shards on a machine of so many CPUs: a power of two.
pub fn shards(cpus: u32) -> u32 {
    cpus.max(1).next_power_of_two().min(SHARDS)
}

/// Buckets of a [`RawSpread`]: a power of two.
pub const BUCKETS: usize = 32;
/// The logarithm that the first bucket is for, of times in nanoseconds: the last one is for 2^39.
pub const FIRST_OF_TIMES: u32 = 8;
/// The same of ports.
pub const FIRST_OF_PORTS: u32 = 0;

/// How many values, by their logarithm to base 2, rounded down. The first and the last bucket have all the rest.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawSpread {
    /// All of them added up.
    pub sum: u64,
    /// The largest. Of two that end at the same moment the smaller may stand here.
    pub max: u64,
    /// How many in each.
    pub buckets: [u32; BUCKETS],
}

/// A sum, with the number of values that it is made of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawSum {
    /// How many values.
    pub known: u64,
    /// All of them added up.
    pub sum: u64,
    /// The largest: see [`RawSpread::max`].
    pub max: u64,
}

/// Attempts of one process towards one destination.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawRow {
    /// How they ended, by the numbers of [`outcome`].
    pub by_outcome: [u64; outcome::COUNT],
    /// Searches of which it is known whether they looked at the second parity.
    pub second_pass_known: u64,
    /// cgroup v2 id of the last one.
    pub cgroup_id: u64,
    /// Name of the thread that called last.
    pub comm: [u8; COMM_LEN],
    /// User of the last one.
    pub uid: u32,
    /// The range last searched, both ends included; 0 and 0: none.
    pub range_low: u16,
    /// See `range_low`.
    pub range_high: u16,
    /// From the SYN to the end.
    pub handshake_ns: RawSpread,
    /// From the call to the end.
    pub total_ns: RawSpread,
    /// In the port search.
    pub search_ns: RawSpread,
    /// Ports visited.
    pub visited: RawSpread,
    /// Of `second_pass_known`, those that did, found or not.
    pub second_pass_looked: u64,
    /// Of these, found a port there.
    pub second_pass: u64,
    /// Searches that found no port, sockets that were bound before not among them.
    pub exhausted: u64,
    /// Given up after SYNs that were sent again.
    pub unanswered: u64,
    /// Searches of the socket's own range.
    pub local_range: u64,
    /// SYNs sent again.
    pub syn_retransmits: u64,
    /// Attempts whose SYN was sent again.
    pub retransmitted: u64,
    /// The longest handshake of these.
    pub retransmitted_max_ns: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
    /// The longest search that found a port in its first pass. How many there were follows: all but those below.
    pub first_pass_search_max_ns: u64,
    /// Time of searches that found a port in their second pass.
    pub second_pass_search_ns: RawSum,
    /// Time of searches that found none, and of those of which the pass is not known.
    pub other_search_ns: RawSum,
    /// Ports visited by searches that found one in their second pass.
    pub second_pass_visited: RawSum,
    /// Candidates refused because a live connection holds the four-tuple, of searches that were probed.
    pub in_use: RawSum,
    /// Candidates refused because of TIME_WAIT.
    pub time_wait: RawSum,
    /// Candidates in TIME_WAIT that were taken over.
    pub time_wait_reused: u64,
    /// Candidates skipped without a test, where the ports visited are known.
    pub skipped: u64,
}

impl RawRow {
    /// Attempts in it.
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
    // SAFETY: as above.
    unsafe impl aya::Pod for super::RawRow {}
}
