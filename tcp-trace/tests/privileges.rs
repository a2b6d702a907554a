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
    ("ports", &["tracing", "reading sockets"]),
    ("time-wait", &["tracing", "reading sockets"]),
    ("bind", &["tracing", "reading sockets", "call sites"]),
    ("listen", &["tracing", "reading sockets"]),
    ("states", &["tracing", "reading sockets"]),
    ("what-if --output OUT", &["tracing", "reading sockets"]),
    ("flamegraph --output OUT.svg", &["tracing", "stacks"]),
    ("record OUT --stacks", &["tracing", "reading sockets", "stacks"]),
    ("doctor --watch 1h", &["tracing", "reading sockets"]),
    ("report --output OUT", &["tracing", "reading sockets"]),
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

fn start(command: &str, folder: &Path, errors: Stdio) -> Run {
    let ready = folder.join("ready");
    let output = folder.join("out");
    let line = command.replace("OUT", output.to_str().expect("ASCII"));
    let mut tool = Command::new(env!("CARGO_BIN_EXE_tcp-trace"));
    tool.args(line.split(' ')).args(["--tier", "tracepoint", "--ready-file"]).arg(&ready);
    let mut run = Run(tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().expect("it runs"));
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
        let run = start(command, folder.path(), Stdio::inherit());
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

#[test]
fn a_run_that_may_open_nothing_any_more_ends_with_what_it_counted() {
    let own = capabilities(None).expect("ours").effective;
    if !own.contains(CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN) {
        return eprintln!("not run: tracing needs root");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (answer, words) = (folder.path().join("answer"), folder.path().join("words"));
    let command = format!("connect-latency --format json --interval 100ms --output {}", answer.display());
    let errors = fs::File::create(&words).expect("a file");
    let mut run = start(&command, folder.path(), Stdio::from(errors));
    for _ in 0..20 {
        assert!(std::net::TcpStream::connect("127.0.0.1:1").is_err(), "the port is closed");
    }
    let made = |text: &str| -> Vec<u64> {
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter_map(|line| line["ledger"]["made"].as_u64()).collect()
    };
    let read = || fs::read_to_string(&answer).unwrap_or_default();
    until("20 connects are counted", || made(&read()).last() >= Some(&20));
    let answers = made(&read()).len();
    let pid = rustix::process::Pid::from_child(&run.0);
    let none_left = rustix::process::Rlimit { current: Some(3), maximum: Some(3) };
    rustix::process::prlimit(Some(pid), rustix::process::Resource::Nofile, none_left).expect("a child process");
    until("answers go on", || made(&read()).len() > answers + 3);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let status = run.0.wait().expect("a child");
    let (all, words) = (made(&read()), fs::read_to_string(&words).unwrap_or_default());
    assert!(all.is_sorted() && all.last() >= Some(&20), "{status}: {all:?}, {words}");
    assert!(!words.contains("panicked"), "{words}");
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
