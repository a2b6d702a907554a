// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts that came without events of their own, added up in the kernel.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tcp_trace_common::folded::BUCKETS;

use super::connect::OUTCOMES;

/// What was added up since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// How they ended, in the order of [`OUTCOMES`].
    pub by_outcome: [u64; OUTCOMES.len()],
    /// Port search, handshake, total, ports visited.
    pub phases: [FoldedPhase; 4],
    /// Searches that looked at the second parity.
    pub second_pass: u64,
    /// Searches of which that is known.
    pub second_pass_known: u64,
    /// SYNs sent again.
    pub syn_retransmits: u64,
    /// Subflows of MPTCP connections.
    pub mptcp: u64,
}

/// Values by bucket, in the buckets of [`distribution`](super::distribution).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedPhase {
    /// How many in each; empty: none at all.
    #[serde(deserialize_with = "buckets")]
    pub buckets: Vec<u64>,
    /// The largest since the start.
    pub max: u64,
}

/// More than is ever counted between two looks, and far from the end of what can be added up.
const MOST: u64 = 1 << 40;

/// A recording may come from anywhere.
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
