// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts that came without events of their own, added up in the kernel.

use serde::{Deserialize, Serialize};

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
    pub buckets: Vec<u64>,
    /// The largest since the start.
    pub max: u64,
}
