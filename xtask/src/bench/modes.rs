// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who traces, and where that is measured: one table.

use connect_load::{OUTPUT, READY, Ready, Tracer};

/// What everything is compared with; measured first and last, to show how well a run repeats.
pub const UNTRACED: &str = "untraced";
pub const UNTRACED_AGAIN: &str = "untraced, again";

/// Fillings in percent, with the number of connects that are timed: a thousand times as long where all of a parity is
/// walked, and as steady with far fewer.
pub const FILLS: [(u32, u32); 4] = [(0, 20_000), (49, 2_000), (51, 60), (95, 60)];

pub const FAMILIES: [u32; 2] = [4, 6];

pub struct Mode {
    pub name: &'static str,
    pub who: Who,
    /// Where it is measured.
    pub fills: &'static [u32],
}

pub enum Who {
    /// `tcp-trace connect-latency` with these arguments, JSON to a file.
    Connects(&'static [&'static str]),
    /// `tcp-trace flamegraph` with these arguments.
    Stacks(&'static [&'static str]),
    /// A program out of the Debian that the guest's kernel is from.
    Peer(&'static [&'static str]),
}

const EVERYWHERE: &[u32] = &[0, 49, 51, 95];

const HISTOGRAM: &str = "kfunc:tcp_v4_connect,kfunc:tcp_v6_connect { @start[tid] = nsecs; } \
     kretfunc:tcp_v4_connect,kretfunc:tcp_v6_connect /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }";

pub const MODES: [Mode; 13] = [
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

/// Peers that are not among the modes, and why.
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
        let tcp_trace = |command: &[&str], arguments| {
            let mut argv = words(&["tcp-trace"]);
            argv.extend(words(command));
            argv.extend(words(&["--output", OUTPUT, "--ready-file", READY]));
            // Without a pause in between, connects are over any budget: what is compared is each of them told.
            argv.extend(words(&["--max-overhead", "100%"]));
            argv.extend(words(arguments));
            Tracer { argv, ready: Ready::File }
        };
        match self.who {
            Who::Connects(arguments) => tcp_trace(&["connect-latency", "--format", "json"], arguments),
            Who::Stacks(arguments) => tcp_trace(&["flamegraph", "--format", "folded"], arguments),
            Who::Peer(argv) => Tracer { argv: words(argv), ready: Ready::Quiet },
        }
    }
}
