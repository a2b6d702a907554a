// SPDX-License-Identifier: MIT OR Apache-2.0
//! What live commands may still do once everything is attached, against the table of docs/privileges.md.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{CapabilitySet, capabilities};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/privileges.md");

/// Each live command, with what the page says that it does. The tier is one that every kernel has, and has no port probes.
const COMMANDS: [(&str, &[&str]); 11] = [
    ("connect-latency", &["tracing"]),
    ("ports", &["tracing", "looking at sockets"]),
    ("time-wait", &["tracing", "looking at sockets"]),
    ("bind", &["tracing", "looking at sockets", "call sites"]),
    ("listen", &["tracing", "looking at sockets"]),
    ("states", &["tracing", "looking at sockets"]),
    ("what-if --output OUT", &["tracing", "looking at sockets"]),
    ("flamegraph --output OUT.svg", &["tracing", "stacks"]),
    ("record OUT --stacks", &["tracing", "looking at sockets", "stacks"]),
    ("doctor --watch 1h", &["tracing", "looking at sockets"]),
    ("report --output OUT", &["tracing", "looking at sockets"]),
];

/// Capabilities that stay for one of these, by the page.
fn documented(activities: &[&str]) -> CapabilitySet {
    let page = fs::read_to_string(PAGE).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| CAP_")?.strip_suffix(" |")?.split_once(" | "));
    let mut found = CapabilitySet::empty();
    for (name, stays_for) in rows {
        let stays = stays_for.split(", ").any(|activity| activities.contains(&activity));
        if let Some(capability) = CapabilitySet::from_name(name).filter(|_| stays) {
            found |= capability;
        }
    }
    found
}

/// Ends with the test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &str, folder: &Path) -> Run {
    let ready = folder.join("ready");
    let output = folder.join("out");
    let line = command.replace("OUT", output.to_str().expect("ASCII"));
    let mut tool = Command::new(env!("CARGO_BIN_EXE_tcp-trace"));
    tool.args(line.split(' ')).args(["--tier", "tracepoint", "--ready-file"]).arg(&ready);
    let mut run = Run(tool.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it runs"));
    let deadline = Instant::now() + Duration::from_secs(120);
    while !ready.exists() {
        assert!(Instant::now() < deadline, "{command} never gets ready");
        assert_eq!(run.0.try_wait().expect("a child"), None, "{command} ended");
        thread::sleep(Duration::from_millis(5));
    }
    run
}

#[test]
fn every_thread_of_a_live_command_has_what_is_documented_and_no_more() {
    let own = capabilities(None).expect("ours").effective;
    if !own.contains(CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN) {
        return eprintln!("not run: tracing needs root");
    }
    for (command, activities) in COMMANDS {
        let folder = tempfile::tempdir().expect("a folder");
        let run = start(command, folder.path());
        let mut threads = 0;
        for task in fs::read_dir(format!("/proc/{}/task", run.0.id())).expect("it runs").flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            // A thread without memory is on its way out: the one that mounted tracefs takes its mounts down.
            let Some(name) = field("Name:").filter(|_| field("VmSize:").is_some()) else { continue };
            let writes = matches!(name, "outputs" | "recorder");
            let expected = own & documented(if writes { &["outputs"] } else { activities });
            for set in ["CapEff:", "CapPrm:"] {
                let mask = field(set).and_then(|mask| u64::from_str_radix(mask, 16).ok()).expect("a mask");
                assert_eq!(CapabilitySet::from_bits_retain(mask), expected, "{set} of {name} of {command}");
            }
            assert_eq!(field("CapInh:"), Some("0000000000000000"), "{name} of {command}");
            assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), (Some("1"), Some("2")), "{name} of {command}");
            threads += 1;
        }
        assert!(threads > 1, "{command} has a thread for its outputs");
    }
}
