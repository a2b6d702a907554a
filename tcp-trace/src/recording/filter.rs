// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel side lets through, of events that were recorded without filters.

use tcp_trace_common::config::{Config, filter};

use crate::aggregate::scope::Scope;
use crate::event::{Comm, Connect};
use crate::governor::Stock;

/// Filters of a replay, and what they kept out.
#[derive(Debug)]
pub struct Filter {
    config: Config,
    scope: Scope,
    left_out: u64,
}

impl Filter {
    /// As typed.
    pub fn of(config: &Config) -> Self {
        Self { config: *config, scope: Scope::of(config), left_out: 0 }
    }

    /// Something was typed.
    pub fn narrows(&self) -> bool {
        self.config.filters != 0
    }

    /// Whether an attempt is of interest; counts those that are not.
    pub fn passes(&mut self, connect: &Connect) -> bool {
        let Self { config, scope, .. } = self;
        let asks = |bit: u32| config.filters & bit != 0;
        let caller = &connect.caller;
        let passes = (!asks(filter::TGID) || config.tgid == caller.pid)
            && (!asks(filter::UID) || config.uid == caller.uid)
            && (!asks(filter::COMM) || Comm::from_kernel(&config.comm) == caller.comm)
            && (!asks(filter::NETNS) || config.netns == connect.netns)
            && scope.contains(connect.daddr, connect.dport);
        self.left_out += u64::from(!passes);
        passes
    }

    /// The books without what was left out, so that they balance.
    pub fn leave_out(&self, stock: &mut Stock) {
        stock.counts.made = stock.counts.made.saturating_sub(self.left_out);
    }
}
