// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the bind signal.

use super::{
    Alternative, Kind, Program, Row, Signal, optional, program,
    set_state::{SET_STATE_FENTRY, SET_STATE_KPROBE, SET_STATE_TRACEPOINT},
};
use crate::probes::tier::Tier;

const NO_MARKS: &str = "ports marked by bind() are unknown";
const SYSCALLS: Kind = Kind::Tracepoint { category: "syscalls" };

/// Program that runs for each socket to read marks, on every tier.
pub const MARKS: &str = "bucket_iter";

const MARKS_ROW: Program = optional(MARKS, "bpf_iter_tcp", Kind::Iterator, NO_MARKS);

/// Tiers of the bind signal.
pub(super) const ROW: Row = Row {
    signal: Signal::Bind,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                MARKS_ROW,
                SET_STATE_FENTRY,
                program("bind_exit_fentry", "inet_csk_get_port", Kind::Fexit),
                program("bind_enter_fentry", "inet_csk_get_port", Kind::Fentry),
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                MARKS_ROW,
                SET_STATE_KPROBE,
                program("bind_exit_kprobe", "inet_csk_get_port", Kind::Kretprobe),
                program("bind_enter_kprobe", "inet_csk_get_port", Kind::Kprobe),
            ],
            limitations: "binds are missed when more calls are in progress than there are kretprobe instances (counted as missed)",
        },
        Alternative {
            tier: Tier::Tracepoint,
            programs: &[
                MARKS_ROW,
                SET_STATE_TRACEPOINT,
                program("bind_call_exit_tp", "sys_exit_bind", SYSCALLS),
                program("bind_call_enter_tp", "sys_enter_bind", SYSCALLS),
            ],
            limitations: "the time is that of the whole system call; binds through io_uring are not seen",
        },
    ],
};
