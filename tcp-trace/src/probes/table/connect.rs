// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the connect signal.

use super::{
    Alternative, Kind, Need, Program, Row, Signal, ipv6, optional, program,
    set_state::{SET_STATE_FENTRY, SET_STATE_KPROBE, SET_STATE_TRACEPOINT},
    variant,
};
use crate::{event::Outcome, probes::tier::Tier};

const SOCK_ADDR: &str = "__cgroup_bpf_run_filter_sock_addr";
const SYSCALLS: Kind = Kind::Tracepoint { category: "syscalls" };
const NO_INTERRUPTED: &str = "interrupted connects are reported as abandoned";
const NO_LSM: &str = "connects denied by a security module are not seen";
const NO_CGROUP: &str = "connects denied by a cgroup program are not seen";
const NO_CALL: &str =
    "failed calls have no errno, and connects that fail before SYN_SENT (no route, denied) are not seen";

/// Outcomes whose counts a limitation of the connect signal makes uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncertain {
    /// One of these may be reported as another of these.
    Mixed(&'static [Outcome]),
    /// Connects that end in one of these may not be seen.
    Unseen(&'static [Outcome]),
}

/// What a limitation of the connect signal, as a session lists it, means for outcomes.
pub fn uncertain_outcomes(limitation: &str) -> Uncertain {
    // Reasons follow.
    let is = |known| limitation.starts_with(known);
    if is(NO_INTERRUPTED) {
        Uncertain::Mixed(&[Outcome::Interrupted, Outcome::Abandoned])
    } else if is(NO_LSM) || is(NO_CGROUP) {
        Uncertain::Unseen(&[Outcome::Denied])
    } else if is(NO_CALL) {
        // Without an errno, failures are not distinguished.
        Uncertain::Unseen(&FAILURES)
    } else {
        Uncertain::Unseen(&[])
    }
}

const FAILURES: [Outcome; 9] = [
    Outcome::Refused,
    Outcome::TimedOut,
    Outcome::Reset,
    Outcome::Unreachable,
    Outcome::NoPort,
    Outcome::PortInUse,
    Outcome::Denied,
    Outcome::Interrupted,
    Outcome::Abandoned,
];

/// Tiers of the connect signal.
pub(super) const ROW: Row = Row {
    signal: Signal::Connect,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                program("destroy_fentry", "tcp_destroy_sock", Kind::BtfTracepoint),
                SET_STATE_FENTRY,
                program("call_exit_fentry", "__inet_stream_connect", Kind::Fexit),
                variant("search_exit_4_fentry", "__inet_hash_connect", 4),
                variant("search_exit_5_fentry", "__inet_hash_connect", 5),
                program("search_enter_fentry", "__inet_hash_connect", Kind::Fentry),
                optional("denied_lsm_fentry", "security_socket_connect", Kind::Fexit, NO_LSM),
                Program { need: Need::Optional(NO_CGROUP), ..variant("denied_cgroup_4_fentry", SOCK_ADDR, 4) },
                Program { need: Need::Optional(NO_CGROUP), ..variant("denied_cgroup_5_fentry", SOCK_ADDR, 5) },
                Program { need: Need::Optional(NO_CGROUP), ..variant("denied_cgroup_6_fentry", SOCK_ADDR, 6) },
                ipv6("connect_v6_enter_fentry", "tcp_v6_connect", Kind::Fentry),
                program("connect_v4_enter_fentry", "tcp_v4_connect", Kind::Fentry),
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                program("connect_destroy_tp", "tcp_destroy_sock", Kind::RawTracepoint),
                SET_STATE_KPROBE,
                ipv6("connect_exit_kprobe", "tcp_v6_connect", Kind::Kretprobe),
                program("connect_exit_kprobe", "tcp_v4_connect", Kind::Kretprobe),
                program("search_exit_kprobe", "__inet_hash_connect", Kind::Kretprobe),
                program("search_enter_kprobe", "__inet_hash_connect", Kind::Kprobe),
                optional("call_exit_kprobe", "__inet_stream_connect", Kind::Kretprobe, NO_INTERRUPTED),
                optional("denied_lsm_kprobe", "security_socket_connect", Kind::Kretprobe, NO_LSM),
                optional("denied_lsm_enter_kprobe", "security_socket_connect", Kind::Kprobe, NO_LSM),
                optional("denied_cgroup_kprobe", "__cgroup_bpf_run_filter_sock_addr", Kind::Kretprobe, NO_CGROUP),
                optional("denied_cgroup_enter_kprobe", "__cgroup_bpf_run_filter_sock_addr", Kind::Kprobe, NO_CGROUP),
                ipv6("connect_enter_kprobe", "tcp_v6_connect", Kind::Kprobe),
                program("connect_enter_kprobe", "tcp_v4_connect", Kind::Kprobe),
            ],
            limitations: "returns are missed when more calls are in progress than there are kretprobe instances (counted as missed)",
        },
        Alternative {
            tier: Tier::Tracepoint,
            programs: &[
                program("connect_destroy_tp", "tcp_destroy_sock", Kind::RawTracepoint),
                SET_STATE_TRACEPOINT,
                optional("connect_call_exit_tp", "sys_exit_connect", SYSCALLS, NO_CALL),
                optional("connect_call_enter_tp", "sys_enter_connect", SYSCALLS, NO_CALL),
            ],
            limitations: "the port search is not seen: neither its time nor the ports visited; the handshake's time includes it",
        },
    ],
};
