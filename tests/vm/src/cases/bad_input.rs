// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad command lines, no privileges, outputs that break: the exit code, and a word on what to do.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    bpf::Loaded,
    harness::Report,
    netns,
    socket::{LOCALHOST, Socket},
    tiers,
    tool::{self, Tool},
};

pub fn run(report: &mut Report) {
    let cases: [(&str, i32, &[&str]); 10] = [
        ("duration_0", 2, &["--duration", "0"]),
        ("duration_negative", 2, &["--duration", "-1s"]),
        ("duration_unit", 2, &["--duration", "1x"]),
        ("flag", 2, &["--no-such-flag"]),
        ("tier", 2, &["--tier", "uprobe"]),
        ("pid", 2, &["--pid", "4194303"]),
        ("netns", 2, &["--netns", "1"]),
        ("cgroup", 2, &["--cgroup", "/no/such/cgroup"]),
        ("daddr", 2, &["--daddr", "127.0.0.1/33"]),
        ("output", 1, &["--output", "/no/such/folder/file"]),
    ];
    for (name, code, arguments) in cases {
        report.test(&format!("bad_input/{name}"), || refused(arguments, code));
    }
    report.test("bad_input/not_root", not_root);
    report.test("bad_input/lab_not_root", lab_not_root);
    report.test("bad_input/doctor_not_root", doctor_not_root);
    report.test("bad_input/closed_pipe", closed_pipe);
    report.test("bad_input/disk_full", disk_full);
}

fn connect_latency(arguments: &[&str]) -> Command {
    let mut command = Command::new(tool::path());
    command.arg("connect-latency").args(arguments);
    command
}

fn refused(arguments: &[&str], code: i32) -> Result<()> {
    let before = Loaded::now();
    says_why(&mut connect_latency(arguments), code)?;
    before.nothing_new()
}

/// Ends with `code`, nothing on standard output, and something on standard error.
fn says_why(command: &mut Command, code: i32) -> Result<String> {
    let finished = tool::run(command)?;
    ensure!(finished.code == Some(code), "exit code {:?}, wanted {code}: {}", finished.code, finished.stderr.trim());
    ensure!(finished.stdout.is_empty(), "standard output has {:?}", finished.stdout);
    ensure!(!finished.stderr.trim().is_empty(), "not a word on standard error");
    Ok(finished.stderr)
}

fn not_root() -> Result<()> {
    let word = says_why(connect_latency(&["--duration", "1s"]).uid(65534).gid(65534), 77)?;
    ensure!(word.contains("try:"), "it does not say what to do: {word}");
    Ok(())
}

fn lab_not_root() -> Result<()> {
    let mut command = Command::new(tool::path());
    let word = says_why(command.args(["lab", "refused"]).uid(65534).gid(65534), 77)?;
    ensure!(word.contains("try:"), "it does not say what to do: {word}");
    Ok(())
}

/// What the user may not see is reported as such; the rest is in the report.
fn doctor_not_root() -> Result<()> {
    let mut command = Command::new(tool::path());
    command.args(["doctor", "--watch", "1s", "--format", "json"]).uid(65534).gid(65534);
    let finished = tool::run(&mut command)?;
    ensure!(finished.code == Some(0), "exit code {:?}: {}", finished.code, finished.stderr.trim());
    let answer = tool::parse(&finished.stdout)?;
    let privileges = answer.of("fact").find(|line| line["fact"] == "privileges").context("no fact on privileges")?;
    ensure!(privileges["words"].as_str().is_some_and(|words| words.contains("may not trace")), "{privileges}");
    ensure!(answer.of("limit").any(|line| line["limit"] == "file_max" && line["used"].is_u64()), "no limits");
    ensure!(answer.of("plan").all(|line| line["verdict"] != "works"), "no tier works");
    ensure!(answer.of("finding").next().is_none(), "a cause in nothing");
    Ok(())
}

/// Connects until the tool has had to write a good deal.
fn many_connects() -> Result<()> {
    netns::within("caller", |_| {
        let remote = std::net::SocketAddr::new(LOCALHOST, 2001);
        for _ in 0..300 {
            let _ = Socket::tcp(LOCALHOST)?.connect(remote);
        }
        Ok(())
    })
}

fn closed_pipe() -> Result<()> {
    let ready = tool::temporary("ready");
    let mut command = connect_latency(&["--format", "json", "--ready-file"]);
    let mut child = command.arg(&ready).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready.exists() && child.try_wait()?.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::remove_file(&ready);
    many_connects()?;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            ensure!(status.code() == Some(0), "{status}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    bail!("it went on writing without a reader")
}

fn disk_full() -> Result<()> {
    let folder = tool::temporary("full");
    fs::create_dir_all(&folder)?;
    let at = folder.to_str().context("a name in ASCII")?;
    tiers::mount_with("tmpfs", at, "tmpfs", 0, "size=4k")?;
    let result = (|| {
        let mut tool = Tool::spawn_in(connect_latency(&tool::UNBOUNDED), Some(&folder))?;
        many_connects()?;
        let code = tool.wait(Duration::from_secs(20))?;
        ensure!(code == Some(1), "exit code {code:?}: {}", tool.errors());
        ensure!(tool.errors().contains("No space left"), "it does not say why: {}", tool.errors());
        Ok(())
    })();
    let at = std::ffi::CString::new(at)?;
    // SAFETY: a C string.
    unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) };
    let _ = fs::remove_dir(&folder);
    result
}
