// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the stack signal. They ask which attempt it is, so they stand behind connect's in the table.

use super::{Alternative, Kind, Program, Row, Signal, program};
use crate::probes::tier::Tier;

const SEARCH: &str = "__inet_hash_connect";

/// The ways to it.
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

/// TraceRequest of the programs of [`ROW`], which say which attempt a thread is in.
pub(super) const ON_CPU: Row = Row {
    signal: Signal::OnCpu,
    alternatives: &[
        Alternative { tier: Tier::Fentry, programs: CLOCK, limitations: "" },
        Alternative { tier: Tier::Kprobe, programs: CLOCK, limitations: "" },
    ],
};
