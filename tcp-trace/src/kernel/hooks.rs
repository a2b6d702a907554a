// SPDX-License-Identifier: MIT OR Apache-2.0
//! Available hooks: functions and tracepoints from BTF, the kprobe PMU, tracefs.

use std::{collections::BTreeSet, fmt, fs, io};

use serde::Serialize;

use super::{Roots, btf::Btf};

/// Functions that programs hook. The plan would rule out a program on any other function, on every kernel; a test in
/// `probes` compares the lists.
pub const FUNCTIONS: &[&str] = &[
    "__cgroup_bpf_run_filter_sock_addr",
    "__inet6_check_established",
    "__inet_check_established",
    "__inet_hash_connect",
    "__inet_lookup_listener",
    "__inet_stream_connect",
    "bpf_iter_tcp",
    "cookie_v4_init_sequence",
    "cookie_v6_init_sequence",
    "inet6_lookup_listener",
    "inet_csk_accept",
    "inet_csk_complete_hashdance",
    "inet_csk_get_port",
    "inet_csk_reqsk_queue_add",
    "inet_twsk_alloc",
    "inet_twsk_kill",
    "security_socket_connect",
    "tcp_close",
    "tcp_conn_request",
    "tcp_set_state",
    "tcp_timewait_state_process",
    "tcp_twsk_unique",
    "tcp_v4_connect",
    "tcp_v4_syn_recv_sock",
    "tcp_v6_connect",
    "tcp_v6_syn_recv_sock",
    "tw_timer_handler",
];

/// Tracepoints that programs hook by name. System call tracepoints have no typedef in BTF.
pub const TRACEPOINTS: &[&str] = &["inet_sock_set_state", "tcp_destroy_sock"];

/// Hooks that this kernel offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hooks {
    /// Functions of [`FUNCTIONS`] that are in BTF.
    pub functions: BTreeSet<&'static str>,
    /// Tracepoints of [`TRACEPOINTS`] that are in BTF.
    pub tracepoints: BTreeSet<&'static str>,
    /// Whether perf_event_open can create kprobes (CONFIG_KPROBE_EVENTS).
    pub kprobe_pmu: bool,
    /// Whether it can create kretprobes too.
    pub kretprobe: bool,
    /// State of tracefs, which provides the ids of tracepoints.
    pub tracefs: Tracefs,
}

/// State of tracefs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracefs {
    /// Mounted, and readable for this process.
    Mounted,
    /// Mounted, but not readable for this process.
    Forbidden,
    /// Not mounted, but the kernel has it.
    NotMounted,
    /// The kernel has no tracefs.
    #[default]
    Absent,
}

impl fmt::Display for Tracefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mounted => "mounted",
            Self::Forbidden => "mounted, but not readable",
            Self::NotMounted => "not mounted (a private mount is made when needed)",
            Self::Absent => "absent",
        })
    }
}

impl Hooks {
    /// Reads the available hooks.
    pub fn survey(roots: &Roots, btf: Option<&Btf<'_>>) -> Self {
        let pmu = roots.sys.join("bus/event_source/devices/kprobe");
        Self {
            functions: btf.map(|btf| btf.functions_among(FUNCTIONS)).unwrap_or_default(),
            tracepoints: btf
                .map(|btf| TRACEPOINTS.iter().filter(|name| btf.has_tracepoint(name)).copied().collect())
                .unwrap_or_default(),
            kprobe_pmu: pmu.join("type").exists(),
            kretprobe: pmu.join("format/retprobe").exists(),
            tracefs: tracefs(roots),
        }
    }
}

fn tracefs(roots: &Roots) -> Tracefs {
    match fs::read_dir(roots.sys.join("kernel/tracing")).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Tracefs::Mounted,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Tracefs::Forbidden,
        Ok(false) | Err(_) => {}
    }
    let known = fs::read_to_string(roots.proc.join("filesystems")).unwrap_or_default();
    if known.lines().any(|line| line.trim_start_matches("nodev").trim() == "tracefs") {
        Tracefs::NotMounted
    } else {
        Tracefs::Absent
    }
}
