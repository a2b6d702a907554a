// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the time_wait signal.

use super::{Alternative, Kind, Need, Program, Row, Signal, program, variant};
use crate::probes::tier::Tier;

/// The ways to it.
pub(super) const ROW: Row = Row {
    signal: Signal::TimeWait,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                program("tw_kill_fentry", "inet_twsk_kill", Kind::Fentry),
                program("tw_timer_fentry", "tw_timer_handler", Kind::Fentry),
                program("tw_unique_fentry", "tcp_twsk_unique", Kind::Fexit),
                variant("tw_process_exit_3_fentry", "tcp_timewait_state_process", 3),
                variant("tw_process_exit_4_fentry", "tcp_timewait_state_process", 4),
                variant("tw_process_exit_5_fentry", "tcp_timewait_state_process", 5),
                program("tw_process_enter_fentry", "tcp_timewait_state_process", Kind::Fentry),
                program("tw_alloc_fentry", "inet_twsk_alloc", Kind::Fexit),
                Program {
                    name: "tw_closer_fentry",
                    hook: "tcp_set_state",
                    kind: Kind::Fentry,
                    need: Need::Events,
                    params: None,
                },
            ],
            loses: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                program("tw_kill_kprobe", "inet_twsk_kill", Kind::Kprobe),
                program("tw_timer_kprobe", "tw_timer_handler", Kind::Kprobe),
                program("tw_unique_kprobe", "tcp_twsk_unique", Kind::Kretprobe),
                program("tw_unique_enter_kprobe", "tcp_twsk_unique", Kind::Kprobe),
                program("tw_process_exit_kprobe", "tcp_timewait_state_process", Kind::Kretprobe),
                program("tw_process_enter_kprobe", "tcp_timewait_state_process", Kind::Kprobe),
                program("tw_alloc_kprobe", "inet_twsk_alloc", Kind::Kprobe),
                Program {
                    name: "tw_closer_kprobe",
                    hook: "tcp_set_state",
                    kind: Kind::Kprobe,
                    need: Need::Events,
                    params: None,
                },
            ],
            loses: "an overflow for lack of memory is taken for an entry",
        },
    ],
};
