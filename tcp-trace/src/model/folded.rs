// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts as the kernel side adds them up: each that ends, once for the run and once by process and destination.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tcp_trace_common::folded::BUCKETS;

use crate::event::{Comm, Connect, OUTCOMES, Outcome, SourcePort};

/// Attempts that were added up since the last reading. Its JSON lacks the rows, which are many and written as tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Attempts by outcome, in the order of [`OUTCOMES`].
    pub by_outcome: [u64; OUTCOMES.len()],
    /// Distributions: port search, handshake, total, ports visited.
    pub phases: [FoldedPhase; 4],
    /// Searches that went through the second parity.
    pub second_pass: u64,
    /// Searches for which `second_pass` is known.
    pub second_pass_known: u64,
    /// SYN retransmits.
    pub syn_retransmits: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
    /// Rows by process and destination, with shards summed.
    #[serde(skip)]
    pub rows: Vec<FoldedRow>,
    /// Attempts that found no room among the rows: with these, the rows are all attempts that ended.
    #[serde(skip)]
    pub other: FoldedCounts,
}

impl Folded {
    /// Counts of attempts in no row. Without rows (`has_rows` is false), that is all of them.
    pub fn other(&self, has_rows: bool) -> FoldedCounts {
        if has_rows {
            return self.other.clone();
        }
        FoldedCounts {
            by_outcome: self.by_outcome,
            second_pass_looked: self.second_pass,
            second_pass_known: self.second_pass_known,
            syn_retransmits: self.syn_retransmits,
            mptcp: self.mptcp,
            ..FoldedCounts::default()
        }
    }
}

/// Attempts of one process towards one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedRow {
    /// Inode of the network namespace.
    pub netns: u32,
    /// Process id (thread group).
    pub pid: u32,
    /// Start time of its leader on the boot-time clock in ns, because pids are reused. 0: unknown.
    pub process_start_ns: u64,
    /// Remote address. Its family is the family on the wire.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
    /// Name of the thread that called last.
    pub comm: Comm,
    /// User id of the last caller.
    pub uid: u32,
    /// Cgroup v2 of the last caller; 0: none.
    pub cgroup_id: u64,
    /// Counts of the row.
    pub counts: FoldedCounts,
}

/// Sums over attempts. Unknown values are in no sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldedCounts {
    /// Attempts by outcome, in the order of [`OUTCOMES`].
    pub by_outcome: [u64; OUTCOMES.len()],
    /// Searches that found no port in the whole range; sockets that were bound before are not included.
    pub exhausted: u64,
    /// Attempts that the kernel or the caller gave up after SYN retransmits.
    pub unanswered: u64,
    /// Searches for which it is known whether they went through the second parity, including those that found no port.
    pub second_pass_known: u64,
    /// Searches of `second_pass_known` that went through the second parity, including those that found no port.
    pub second_pass_looked: u64,
    /// Searches of `second_pass_looked` that found a port there.
    pub second_pass: u64,
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
    /// Ports visited.
    pub visited: FoldedSpread,
    /// Time in the port search, in ns.
    pub search_ns: FoldedSpread,
    /// Time from the SYN to the end of the attempt, in ns.
    pub handshake_ns: FoldedSpread,
    /// Time from the call to the end of the attempt, in ns.
    pub total_ns: FoldedSpread,
    /// Ports visited by the searches of `second_pass`.
    pub second_pass_visited: FoldedSum,
    /// Time of the searches of `second_pass`, in ns.
    pub second_pass_search_ns: FoldedSum,
    /// Time of searches that found a port in the first pass, in ns.
    pub first_pass_search_ns: FoldedSum,
    /// Candidates refused because a live connection holds the four-tuple, by search; sampled.
    pub in_use: FoldedSum,
    /// Candidates refused because of TIME_WAIT, by search; sampled.
    pub time_wait: FoldedSum,
    /// Candidates in TIME_WAIT that were reused; sampled.
    pub time_wait_reused: u64,
    /// Candidates skipped without a test, where the number of visits is known; sampled.
    pub skipped: u64,
    /// The range that was searched last, both ends included.
    pub range: Option<(u16, u16)>,
}

impl FoldedRow {
    /// A row of one attempt that is in no row of the kernel side.
    pub fn of(connect: &Connect) -> Self {
        Self {
            netns: connect.netns,
            pid: connect.caller.pid,
            process_start_ns: 0,
            daddr: connect.daddr,
            dport: connect.dport,
            comm: connect.caller.comm,
            uid: connect.caller.uid,
            cgroup_id: connect.caller.cgroup.as_ref().map_or(0, |cgroup| cgroup.id),
            counts: FoldedCounts::of(connect),
        }
    }
}

impl FoldedCounts {
    /// Counts of one attempt.
    pub fn of(connect: &Connect) -> Self {
        let mut counts = Self::default();
        counts.add(connect);
        counts
    }

    /// Number of attempts.
    pub fn attempts(&self) -> u64 {
        self.by_outcome.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Number of attempts with this outcome.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// Number of port searches, as far as known.
    pub fn searches(&self) -> u64 {
        self.search_ns.known.max(self.visited.known).max(self.second_pass_known)
    }

    /// Adds one attempt. The kernel side adds in the same way: `tcp-trace-common/src/connect_rows.rs`.
    pub fn add(&mut self, connect: &Connect) {
        self.by_outcome[connect.outcome as usize] += 1;
        let no_port = connect.outcome == Outcome::NoPort;
        self.exhausted += u64::from(no_port && connect.source_port.is_some_and(|port| port != SourcePort::Bound));
        let sent_again = connect.syn_retransmits.unwrap_or(0);
        self.unanswered += u64::from(match connect.outcome {
            Outcome::TimedOut => true,
            Outcome::Abandoned | Outcome::Interrupted | Outcome::Pending => sent_again > 0,
            _ => false,
        });
        self.syn_retransmits += u64::from(sent_again);
        if sent_again > 0 {
            self.retransmitted += 1;
            self.retransmitted_max_ns = self.retransmitted_max_ns.max(connect.handshake_ns.unwrap_or(0));
        }
        self.mptcp += u64::from(connect.mptcp == Some(true));
        self.local_range += u64::from(connect.source_port == Some(SourcePort::LocalRange));
        self.second_pass_known += u64::from(connect.second_pass.is_some());
        self.second_pass_looked += u64::from(connect.second_pass == Some(true));
        let visited = connect.ports_visited.map(u64::from);
        self.visited.add(visited);
        self.search_ns.add(connect.port_search_ns);
        self.handshake_ns.add(connect.handshake_ns);
        self.total_ns.add(connect.total_ns);
        if !no_port {
            match connect.second_pass {
                Some(true) => {
                    self.second_pass += 1;
                    self.second_pass_visited.add(visited);
                    self.second_pass_search_ns.add(connect.port_search_ns);
                }
                Some(false) => self.first_pass_search_ns.add(connect.port_search_ns),
                None => {}
            }
        }
        if let Some(candidates) = connect.candidates {
            self.in_use.add(Some(candidates.in_use.into()));
            self.time_wait.add(Some(candidates.time_wait.into()));
            self.time_wait_reused += u64::from(candidates.time_wait_reused);
            self.skipped += u64::from(candidates.skipped.unwrap_or(0));
        }
        self.range = connect.range.or(self.range);
    }
}

/// A sum with the number of its values and their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoldedSum {
    /// Number of known values.
    pub known: u64,
    /// Sum of the known values.
    pub sum: u64,
    /// Largest known value; 0 if there is none.
    pub max: u64,
}

impl FoldedSum {
    /// Adds a value, if it is known.
    pub fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.merge(&Self { known: 1, sum: value, max: value });
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.known = self.known.saturating_add(other.known);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// Mean of the known values; `None` if there is none.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.known)
    }
}

/// A sum, with its values by powers of two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldedSpread {
    /// Number of known values.
    pub known: u64,
    /// Sum of the known values.
    pub sum: u64,
    /// Largest known value; 0 if there is none.
    pub max: u64,
    /// Number of values by their highest bit: 0 and 1 in the first bucket, 2 and 3 in the second. There are at most
    /// [`SPREAD_BUCKETS`]; the last one also holds larger values, and trailing zeros are cut. Times below 256 ns may be
    /// in the ninth.
    pub buckets: Vec<u32>,
}

impl FoldedSpread {
    /// Adds a value, if it is known.
    pub fn add(&mut self, value: Option<u64>) {
        let Some(value) = value else { return };
        self.known += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        let bucket = (value.max(1).ilog2() as usize).min(SPREAD_BUCKETS - 1);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
    }

    /// Adds another spread.
    pub fn merge(&mut self, other: &Self) {
        self.known = self.known.saturating_add(other.known);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// Mean of the known values; `None` if there is none.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.known)
    }

    /// An upper bound for this share of the values: the end of a power of two, or the maximum.
    pub fn within(&self, share: f64) -> Option<u64> {
        let all: u64 = self.buckets.iter().map(|count| u64::from(*count)).sum();
        let rank = (all as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        let power = self.buckets.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        })?;
        Some(self.max.min((2_u64 << power) - 1))
    }
}

/// Maximum number of buckets of a [`FoldedSpread`].
pub const SPREAD_BUCKETS: usize = 40;

/// Values by bucket, in the buckets of [`distribution`](crate::aggregate::distribution).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedPhase {
    /// Number of values per bucket; empty: no values.
    #[serde(deserialize_with = "buckets")]
    pub buckets: Vec<u64>,
    /// Largest value since the start.
    pub max: u64,
}

/// More than is ever counted between two readings, and far from an overflow of sums.
pub const MOST: u64 = 1 << 40;

/// Checks the buckets, because a recording is untrusted.
fn buckets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    let buckets = Vec::<u64>::deserialize(from)?;
    if !buckets.is_empty() && buckets.len() != BUCKETS {
        return Err(D::Error::invalid_length(buckets.len(), &"as many buckets as the kernel side has"));
    }
    match buckets.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)) {
        Some(0..=MOST) => Ok(buckets),
        _ => Err(D::Error::custom("buckets that hold more than can have been counted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buckets: Vec<u64>) -> Result<FoldedPhase, String> {
        let written = serde_json::to_string(&FoldedPhase { buckets, max: 1 }).expect("numbers");
        serde_json::from_str(&written).map_err(|error| error.to_string())
    }

    #[test]
    fn so_many_are_within_a_power_of_two() {
        let mut spread = FoldedSpread::default();
        assert_eq!((spread.within(0.99), spread.mean()), (None, None));
        (0..99).for_each(|_| spread.add(Some(5_000)));
        let mut slow = FoldedSpread::default();
        slow.add(Some(3_000_000));
        spread.merge(&slow);
        assert_eq!([0.5, 0.99, 1.0].map(|share| spread.within(share)), [Some(8_191), Some(8_191), Some(3_000_000)]);
        assert_eq!((spread.known, spread.max, spread.mean()), (100, 3_000_000, Some(34_950)));
    }

    #[test]
    fn what_nobody_counted_is_refused() {
        assert!(read(Vec::new()).is_ok());
        assert!(read(vec![1; BUCKETS]).is_ok());
        assert!(read(vec![1; BUCKETS - 1]).is_err_and(|error| error.contains("as many buckets")));
        for most in [MOST + 1, u64::MAX] {
            let mut buckets = vec![0; BUCKETS];
            (buckets[0], buckets[1]) = (1, most);
            assert!(read(buckets).is_err_and(|error| error.contains("more than can have been counted")));
        }
    }
}
