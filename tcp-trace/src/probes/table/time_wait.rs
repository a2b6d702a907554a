// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the time_wait signal.

use super::{Alternative, Kind, Need, Program, Row, Signal, program, variant};
use crate::probes::tier::Tier;

/// A program about closers and the effect of segments, needed only for more than totals.
const fn in_detail(program: Program) -> Program {
    Program { need: Need::Events, ..program }
}

/// Tiers of the time_wait signal.
pub(super) const ROW: Row = Row {
    signal: Signal::TimeWait,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                program("tw_kill_fentry", "inet_twsk_kill", Kind::Fentry),
                in_detail(variant("tw_process_exit_3_fentry", "tcp_timewait_state_process", 3)),
                in_detail(variant("tw_process_exit_4_fentry", "tcp_timewait_state_process", 4)),
                in_detail(variant("tw_process_exit_5_fentry", "tcp_timewait_state_process", 5)),
                in_detail(program("tw_process_enter_fentry", "tcp_timewait_state_process", Kind::Fentry)),
                program("tw_alloc_fentry", "inet_twsk_alloc", Kind::Fexit),
                in_detail(program("tw_closer_fentry", "tcp_set_state", Kind::Fentry)),
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                program("tw_kill_kprobe", "inet_twsk_kill", Kind::Kprobe),
                in_detail(program("tw_process_exit_kprobe", "tcp_timewait_state_process", Kind::Kretprobe)),
                in_detail(program("tw_process_enter_kprobe", "tcp_timewait_state_process", Kind::Kprobe)),
                in_detail(program("tw_made_kprobe", "inet_twsk_alloc", Kind::Kretprobe)),
                program("tw_alloc_kprobe", "inet_twsk_alloc", Kind::Kprobe),
                in_detail(program("tw_closer_kprobe", "tcp_set_state", Kind::Kprobe)),
            ],
            limitations: "an overflow because of lack of memory counts as an entry",
        },
    ],
};
