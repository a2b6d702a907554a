// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tracers, and where they are measured: one table.

use connect_load::{OUTPUT, READY, Ready, Tracer};

/// The mode that everything is compared with; measured first and last, to show how well a run repeats.
pub const UNTRACED: &str = "untraced";
pub const UNTRACED_AGAIN: &str = "untraced, again";

/// Shares of taken ports in percent, with the number of timed connects: they take a thousand times as long if a whole
/// parity is walked, and are as stable with far fewer.
pub const FILLS: [(u32, u32); 4] = [(0, 20_000), (49, 2_000), (51, 60), (95, 60)];

pub const FAMILIES: [u32; 2] = [4, 6];

/// Numbers of destination addresses, used in turn, with all ports free, IPv4: shows whether a row for each costs more
/// than one for all. The number of connects covers each address.
pub const DESTINATIONS: [u32; 2] = [1_000, 100_000];
pub const CONNECTS_TO_DESTINATIONS: u32 = 100_000;

/// The mode without options; it is measured with these destinations as well.
pub const DEFAULTS: &str = "text, defaults";

pub struct Mode {
    pub name: &'static str,
    pub who: Who,
    /// Shares of taken ports at which it is measured.
    pub fills: &'static [u32],
}

pub enum Who {
    /// `tcp-trace connect-latency` with these arguments, JSON to a file, one line per connect, without a budget.
    Connects(&'static [&'static str]),
    /// `tcp-trace` with these arguments, and defaults otherwise.
    Defaults(&'static [&'static str]),
    /// `tcp-trace flamegraph` with these arguments.
    Stacks(&'static [&'static str]),
    /// A program of the Debian release of the guest's kernel.
    Peer(&'static [&'static str]),
}

const EVERYWHERE: &[u32] = &[0, 49, 51, 95];

const HISTOGRAM: &str = "kfunc:tcp_v4_connect,kfunc:tcp_v6_connect { @start[tid] = nsecs; } \
     kretfunc:tcp_v4_connect,kretfunc:tcp_v6_connect /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }";

pub const MODES: [Mode; 17] = [
    Mode { name: DEFAULTS, who: Who::Defaults(&["connect-latency"]), fills: EVERYWHERE },
    Mode { name: "text, kprobe", who: Who::Defaults(&["connect-latency", "--tier", "kprobe"]), fills: &[0] },
    Mode { name: "text, tracepoint", who: Who::Defaults(&["connect-latency", "--tier", "tracepoint"]), fills: &[0] },
    Mode { name: "doctor", who: Who::Defaults(&["doctor", "--watch", "1h"]), fills: &[0] },
    Mode { name: "fentry", who: Who::Connects(&["--tier", "fentry"]), fills: EVERYWHERE },
    Mode {
        name: "fentry, port probes always",
        who: Who::Connects(&["--tier", "fentry", "--port-probes", "always"]),
        fills: &[51, 95],
    },
    Mode {
        name: "fentry, port probes never",
        who: Who::Connects(&["--tier", "fentry", "--port-probes", "never"]),
        fills: &[51],
    },
    Mode {
        name: "fentry, --record",
        who: Who::Connects(&["--tier", "fentry", "--record", "/tmp/recording"]),
        fills: &[0, 51],
    },
    Mode { name: "fentry, flamegraph", who: Who::Stacks(&["--tier", "fentry"]), fills: &[0, 51] },
    Mode { name: "kprobe", who: Who::Connects(&["--tier", "kprobe"]), fills: EVERYWHERE },
    Mode { name: "tracepoint", who: Who::Connects(&["--tier", "tracepoint"]), fills: EVERYWHERE },
    Mode { name: "tcpconnlat (libbpf-tools)", who: Who::Peer(&["tcpconnlat"]), fills: EVERYWHERE },
    Mode { name: "tcpstates (libbpf-tools)", who: Who::Peer(&["tcpstates"]), fills: EVERYWHERE },
    Mode { name: "bpftrace, histogram of connect()", who: Who::Peer(&["bpftrace", "-e", HISTOGRAM]), fills: &[0, 51] },
    Mode {
        name: "bpftrace, kfunc per candidate",
        who: Who::Peer(&[
            "bpftrace",
            "-e",
            "kfunc:__inet_check_established,kfunc:__inet6_check_established { @ = count(); }",
        ]),
        fills: &[51],
    },
    Mode {
        name: "bpftrace, kprobe per candidate",
        who: Who::Peer(&[
            "bpftrace",
            "-e",
            "kprobe:__inet_check_established,kprobe:__inet6_check_established { @ = count(); }",
        ]),
        fills: &[51],
    },
    Mode {
        name: "bpftrace, kretprobe per candidate",
        who: Who::Peer(&[
            "bpftrace",
            "-e",
            "kretprobe:__inet_check_established,kretprobe:__inet6_check_established { @ = count(); }",
        ]),
        fills: &[51],
    },
];

/// Peers that are not measured, and why.
pub const LEFT_OUT: [(&str, &str); 1] = [(
    "tcpconnlat (bcc, python3-bpfcc)",
    "it compiles its programs when it starts, so it needs python3, clang and the kernel's headers: the guest has none of them",
)];

impl Mode {
    pub fn is_peer(&self) -> bool {
        matches!(self.who, Who::Peer(_))
    }

    pub fn tracer(&self) -> Tracer {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let tcp_trace = |command: &[&str], arguments: &[&str]| {
            let parts = [&["tcp-trace"], command, &["--output", OUTPUT, "--ready-file", READY], arguments];
            Tracer { argv: parts.into_iter().flat_map(words).collect(), ready: Ready::File }
        };
        // Without a pause in between, connects are over any budget: what is compared is each of them told.
        let each = |command: &[&str], arguments: &[&str]| {
            tcp_trace(command, &[&["--max-overhead", "100%"], arguments].concat())
        };
        match self.who {
            Who::Connects(arguments) => each(&["connect-latency", "--format", "json"], arguments),
            Who::Stacks(arguments) => each(&["flamegraph", "--format", "folded"], arguments),
            Who::Defaults(command) => tcp_trace(command, &[]),
            Who::Peer(argv) => Tracer { argv: words(argv), ready: Ready::Quiet },
        }
    }
}
