// SPDX-License-Identifier: MIT OR Apache-2.0
//! The current detail, as user space has set it.

use aya_ebpf::helpers::bpf_get_prandom_u32;
use tcp_trace_common::detail::{ASLEEP, FOLD, FOLLOW_AGENT, GENERATION, NO_EXEMPLARS, ONE_IN_SHIFT, STOPPED};

use crate::maps::DETAIL;

/// The detail, read once by a program, so that its decisions are consistent.
#[derive(Clone, Copy)]
pub struct Detail(u64);

impl Detail {
    #[inline(always)]
    pub fn now() -> Self {
        // SAFETY: a live element; volatile, so that it is read here and not where it is first asked.
        Self(DETAIL.get_ptr(0).map_or(0, |detail| unsafe { (&raw const (*detail).word).read_volatile() }))
    }

    /// Whether events are only added up, not sent one by one.
    #[inline(always)]
    pub fn folds(self) -> bool {
        self.0 & FOLD != 0
    }

    /// Whether the agent must be woken for events that it should see soon.
    #[inline(always)]
    pub fn agent_sleeps(self) -> bool {
        self.0 & ASLEEP != 0
    }

    /// Whether exemplars are sent.
    #[inline(always)]
    pub fn has_exemplars(self) -> bool {
        self.0 & NO_EXEMPLARS == 0
    }

    /// The generation of rows that programs add to: 0 or 1.
    #[inline(always)]
    pub fn generation(self) -> u32 {
        u32::from(self.0 & GENERATION != 0)
    }

    /// Whether the agent's own attempts are followed too.
    #[inline(always)]
    pub fn follows_agent(self) -> bool {
        self.0 & FOLLOW_AGENT != 0
    }

    /// Whether counting has stopped.
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
