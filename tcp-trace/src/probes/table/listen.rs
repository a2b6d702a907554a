// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the listen signal.

use super::{Alternative, Kind, Need, Program, Row, Signal, ipv6, optional, program, variant};
use crate::probes::tier::Tier;

const ACK: &str = "handshakes dropped at a full accept queue are not seen";
const NO_COOKIES: Need = Need::IfPresent("SYN cookies are not seen");
const NO_BACKLOG: &str = "the backlog passed to listen() is unknown";
const SYSCALLS: Kind = Kind::Tracepoint { category: "syscalls" };

/// A program on a function with seven parameters on some kernels, which not every trampoline supports: a kprobe
/// replaces it.
const fn last_ack(name: &'static str, hook: &'static str) -> Program {
    Program { name, hook, kind: Kind::Fentry, need: Need::OrNext, params: None }
}

const fn cookie(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: NO_COOKIES, params: None }
}

/// Tiers of the listen signal.
pub(super) const ROW: Row = Row {
    signal: Signal::Listen,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                program("syn_exit_fentry", "tcp_conn_request", Kind::Fexit),
                cookie("cookie_v4_fentry", "cookie_v4_init_sequence", Kind::Fentry),
                cookie("cookie_v6_fentry", "cookie_v6_init_sequence", Kind::Fentry),
                program("syn_enter_fentry", "tcp_conn_request", Kind::Fentry),
                last_ack("last_ack_v4_fentry", "tcp_v4_syn_recv_sock"),
                optional("last_ack_v4_kprobe", "tcp_v4_syn_recv_sock", Kind::Kprobe, ACK),
                last_ack("last_ack_v6_fentry", "tcp_v6_syn_recv_sock"),
                optional("last_ack_v6_kprobe", "tcp_v6_syn_recv_sock", Kind::Kprobe, ACK),
                program("handshake_fentry", "inet_csk_complete_hashdance", Kind::Fentry),
                program("queue_add_fentry", "inet_csk_reqsk_queue_add", Kind::Fentry),
                variant("accept_4_fentry", "inet_csk_accept", 4),
                variant("accept_2_fentry", "inet_csk_accept", 2),
                optional("listen_call_tp", "sys_enter_listen", SYSCALLS, NO_BACKLOG),
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                program("syn_exit_kprobe", "tcp_conn_request", Kind::Kretprobe),
                cookie("cookie_kprobe", "cookie_v4_init_sequence", Kind::Kprobe),
                cookie("cookie_kprobe", "cookie_v6_init_sequence", Kind::Kprobe),
                program("syn_enter_kprobe", "tcp_conn_request", Kind::Kprobe),
                program("last_ack_v4_kprobe", "tcp_v4_syn_recv_sock", Kind::Kprobe),
                ipv6("last_ack_v6_kprobe", "tcp_v6_syn_recv_sock", Kind::Kprobe),
                program("handshake_kprobe", "inet_csk_complete_hashdance", Kind::Kprobe),
                program("queue_add_kprobe", "inet_csk_reqsk_queue_add", Kind::Kprobe),
                program("accept_kprobe", "inet_csk_accept", Kind::Kprobe),
                optional("listen_call_tp", "sys_enter_listen", SYSCALLS, NO_BACKLOG),
            ],
            limitations: "the number of connections that accept() takes is unknown: a kretprobe on a call that sleeps is avoided",
        },
    ],
};
