// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much to tell at the moment, as user space has decided.

use aya_ebpf::helpers::bpf_get_prandom_u32;
use tcp_trace_common::detail::{FOLD, FOLLOW_AGENT, ONE_IN_SHIFT, STOPPED};

use crate::maps::DETAIL;

/// Read once by a program, so that it is of one mind.
#[derive(Clone, Copy)]
pub struct Detail(u64);

impl Detail {
    #[inline(always)]
    pub fn now() -> Self {
        Self(DETAIL.get(0).copied().unwrap_or(0))
    }

    /// Whether attempts are added up rather than sent.
    #[inline(always)]
    pub fn folds(self) -> bool {
        self.0 & FOLD != 0
    }

    /// Whether the agent's own attempts are of interest too.
    #[inline(always)]
    pub fn follows_agent(self) -> bool {
        self.0 & FOLLOW_AGENT != 0
    }

    /// Whether everything is to stay as it is.
    #[inline(always)]
    pub fn stopped(self) -> bool {
        self.0 & STOPPED != 0
    }

    /// Whether this attempt is one of those that are followed.
    #[inline(always)]
    pub fn follows(self) -> bool {
        let one_in = (self.0 >> ONE_IN_SHIFT) as u32;
        // SAFETY: the helper has no precondition.
        one_in <= 1 || unsafe { bpf_get_prandom_u32() } & (one_in - 1) == 0
    }
}
