// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every program of the kernel side: for which signal, on which tier, on which hook. Adding a program or a tier is a row
//! here, never an `if` elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tier::Tier;

/// A question that programs answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// How long does a `connect()` take, and how does it end?
    Connect,
    /// Why were candidates refused in the port search?
    PortProbes,
    /// What goes into TIME_WAIT, what comes out and why?
    TimeWait,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connect => "connect",
            Self::PortProbes => "port_probes",
            Self::TimeWait => "time_wait",
        })
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At the entry, by BPF trampoline.
    Fentry,
    /// At the exit, by BPF trampoline: arguments and return value.
    Fexit,
    /// At the entry, by breakpoint or ftrace.
    Kprobe,
    /// At the return: only the return value, and only while a free instance is left.
    Kretprobe,
    /// A tracepoint's own arguments, of which the verifier knows the types.
    BtfTracepoint,
    /// A tracepoint's own arguments; needs no tracefs.
    RawTracepoint,
    /// A tracepoint's record; needs tracefs for its id.
    Tracepoint {
        /// Its folder under `events/`.
        category: &'static str,
    },
}

/// Whether a tier does without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The tier is nothing without it.
    Required,
    /// The tier works, and this is what is lost.
    Optional(&'static str),
    /// Required, but the kernel may be built without what it hooks, and then this is lost.
    IfPresent(&'static str),
    /// Only where TIME_WAIT events are asked for.
    TimeWaitEvents,
}

/// One program and its hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object. A kprobe program may stand on several hooks; one for a trampoline is made for one.
    pub name: &'static str,
    /// Kernel function or tracepoint.
    pub hook: &'static str,
    /// How it is attached.
    pub kind: Kind,
    /// Whether the tier does without it.
    pub need: Need,
    /// Parameters that its hook has, where that decides which of several programs fits.
    pub params: Option<u16>,
}

/// One way to answer a signal.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// The tier.
    pub tier: Tier,
    /// In the order in which they are attached: exits before entries, so that no entry is left without its exit.
    pub programs: &'static [Program],
    /// What it cannot tell, compared with the best; empty for the best.
    pub loses: &'static str,
}

/// The ways to answer a signal, best first.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The signal.
    pub signal: Signal,
    /// Best first.
    pub alternatives: &'static [Alternative],
}

const fn program(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: Need::Required, params: None }
}

const fn optional(name: &'static str, hook: &'static str, kind: Kind, loses: &'static str) -> Program {
    Program { name, hook, kind, need: Need::Optional(loses), params: None }
}

/// A program on a function of IPv6.
const fn ipv6(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: NO_IPV6, params: None }
}

/// An exit program that fits a hook with so many parameters: the return value comes behind them.
const fn variant(name: &'static str, hook: &'static str, params: u16) -> Program {
    Program { name, hook, kind: Kind::Fexit, need: Need::Required, params: Some(params) }
}

/// An entry program that fits a hook with so many parameters.
const fn probe(name: &'static str, hook: &'static str, params: u16, need: Need) -> Program {
    Program { name, hook, kind: Kind::Fentry, need, params: Some(params) }
}

const NO_IPV6: Need = Need::IfPresent("IPv6 is not seen");
const SOCK_ADDR: &str = "__cgroup_bpf_run_filter_sock_addr";
const SYSCALLS: Kind = Kind::Tracepoint { category: "syscalls" };
const NO_INTERRUPTED: &str = "interrupted connects are reported as abandoned";
const NO_LSM: &str = "connects that a security module refuses are not seen";
const NO_CGROUP: &str = "connects that a cgroup program refuses are not seen";
const NO_CALL: &str =
    "no errno of failing calls, and connects that fail before SYN_SENT (no route, denied) are not seen";

/// Every signal.
pub const SIGNALS: [Row; 3] = [
    Row {
        signal: Signal::Connect,
        alternatives: &[
            Alternative {
                tier: Tier::Fentry,
                programs: &[
                    program("destroy_fentry", "tcp_destroy_sock", Kind::BtfTracepoint),
                    program("state_fentry", "inet_sock_set_state", Kind::BtfTracepoint),
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
                loses: "",
            },
            Alternative {
                tier: Tier::Kprobe,
                programs: &[
                    program("connect_destroy_tp", "tcp_destroy_sock", Kind::RawTracepoint),
                    program("state_kprobe", "inet_sock_set_state", Kind::RawTracepoint),
                    ipv6("connect_exit_kprobe", "tcp_v6_connect", Kind::Kretprobe),
                    program("connect_exit_kprobe", "tcp_v4_connect", Kind::Kretprobe),
                    program("search_exit_kprobe", "__inet_hash_connect", Kind::Kretprobe),
                    program("search_enter_kprobe", "__inet_hash_connect", Kind::Kprobe),
                    optional("call_exit_kprobe", "__inet_stream_connect", Kind::Kretprobe, NO_INTERRUPTED),
                    optional("denied_lsm_kprobe", "security_socket_connect", Kind::Kretprobe, NO_LSM),
                    optional("denied_lsm_enter_kprobe", "security_socket_connect", Kind::Kprobe, NO_LSM),
                    optional("denied_cgroup_kprobe", "__cgroup_bpf_run_filter_sock_addr", Kind::Kretprobe, NO_CGROUP),
                    optional(
                        "denied_cgroup_enter_kprobe",
                        "__cgroup_bpf_run_filter_sock_addr",
                        Kind::Kprobe,
                        NO_CGROUP,
                    ),
                    ipv6("connect_enter_kprobe", "tcp_v6_connect", Kind::Kprobe),
                    program("connect_enter_kprobe", "tcp_v4_connect", Kind::Kprobe),
                ],
                loses: "returns are missed when more calls are under way than there are probe instances (counted as missed)",
            },
            Alternative {
                tier: Tier::Tracepoint,
                programs: &[
                    program("connect_destroy_tp", "tcp_destroy_sock", Kind::RawTracepoint),
                    program("connect_state_tp", "inet_sock_set_state", Kind::RawTracepoint),
                    optional("connect_call_exit_tp", "sys_exit_connect", SYSCALLS, NO_CALL),
                    optional("connect_call_enter_tp", "sys_enter_connect", SYSCALLS, NO_CALL),
                ],
                loses: "no port search: neither its time nor the ports visited; the handshake's time includes it",
            },
        ],
    },
    Row {
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
                loses: "",
            },
            Alternative {
                tier: Tier::Kprobe,
                programs: &[
                    program("probe_tw_kprobe", "tcp_twsk_unique", Kind::Kretprobe),
                    program("probe_check_kprobe", "__inet_check_established", Kind::Kprobe),
                    ipv6("probe_check_kprobe", "__inet6_check_established", Kind::Kprobe),
                ],
                loses: "several times the cost for each candidate",
            },
        ],
    },
    Row {
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
                        need: Need::TimeWaitEvents,
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
                        need: Need::TimeWaitEvents,
                        params: None,
                    },
                ],
                loses: "an overflow for lack of memory is taken for an entry",
            },
        ],
    },
];
