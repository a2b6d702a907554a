// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the stack signal. They read the attempt that connect's programs store, so they come after those in the
//! table.

use super::{Alternative, Kind, Program, Row, Signal, program};
use crate::probes::tier::Tier;

const SEARCH: &str = "__inet_hash_connect";

/// Tiers of the stack signal.
pub(super) const ROW: Row = Row {
    signal: Signal::Stack,
    alternatives: &[
        Alternative { tier: Tier::Fentry, programs: &[program("stack_fentry", SEARCH, Kind::Fentry)], limitations: "" },
        Alternative { tier: Tier::Kprobe, programs: &[program("stack_kprobe", SEARCH, Kind::Kprobe)], limitations: "" },
        Alternative {
            tier: Tier::Tracepoint,
            programs: &[program("stack_tp", "inet_sock_set_state", Kind::RawTracepoint)],
            limitations: "stacks are taken at SYN_SENT, right before the port search",
        },
    ],
};

const CLOCK: &[Program] = &[program("stack_on_cpu", "cpu-clock", Kind::Clock)];

/// Tiers of the on_cpu signal. It needs the programs of [`ROW`], which store the attempt of a thread.
pub(super) const ON_CPU: Row = Row {
    signal: Signal::OnCpu,
    alternatives: &[
        Alternative { tier: Tier::Fentry, programs: CLOCK, limitations: "" },
        Alternative { tier: Tier::Kprobe, programs: CLOCK, limitations: "" },
    ],
};
