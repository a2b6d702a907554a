// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tiers: how a program attaches, best first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a program attaches, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// fentry and fexit: BPF trampolines, typed arguments.
    Fentry,
    /// Kprobes and kretprobes.
    Kprobe,
    /// Tracepoints only: the port search is not seen.
    Tracepoint,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        })
    }
}
