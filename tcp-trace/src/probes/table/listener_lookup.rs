// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that time the lookup of a listener. The functions have nine or ten parameters, more than a trampoline
//! supports on some kernels, so every tier uses kprobes.

use super::{Alternative, Kind, Program, Row, Signal, ipv6, program};
use crate::probes::tier::Tier;

const PROGRAMS: &[Program] = &[
    program("lookup_exit_kprobe", "__inet_lookup_listener", Kind::Kretprobe),
    ipv6("lookup_exit_kprobe", "inet6_lookup_listener", Kind::Kretprobe),
    program("lookup_enter_kprobe", "__inet_lookup_listener", Kind::Kprobe),
    ipv6("lookup_enter_kprobe", "inet6_lookup_listener", Kind::Kprobe),
];

/// Tiers of the listener_lookup signal.
pub(super) const ROW: Row = Row {
    signal: Signal::ListenerLookup,
    alternatives: &[
        Alternative { tier: Tier::Fentry, programs: PROGRAMS, limitations: "" },
        Alternative { tier: Tier::Kprobe, programs: PROGRAMS, limitations: "" },
    ],
};
