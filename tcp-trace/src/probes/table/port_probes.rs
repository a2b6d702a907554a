// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that find out why candidates are refused, one search at a time.

use super::{Alternative, Kind, NO_IPV6, Need, Row, Signal, ipv6, probe, program};
use crate::probes::tier::Tier;

/// Tiers of the port_probes signal.
pub(super) const ROW: Row = Row {
    signal: Signal::PortProbes,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                program("probe_tw_fentry", "tcp_twsk_unique", Kind::Fexit),
                probe("probe_v4_4_fentry", "__inet_check_established", 4, Need::Required),
                probe("probe_v4_6_fentry", "__inet_check_established", 6, Need::Required),
                probe("probe_v6_4_fentry", "__inet6_check_established", 4, NO_IPV6),
                probe("probe_v6_6_fentry", "__inet6_check_established", 6, NO_IPV6),
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                program("probe_tw_kprobe", "tcp_twsk_unique", Kind::Kretprobe),
                program("probe_check_kprobe", "__inet_check_established", Kind::Kprobe),
                ipv6("probe_check_kprobe", "__inet6_check_established", Kind::Kprobe),
            ],
            limitations: "each candidate costs several times as much",
        },
    ],
};
