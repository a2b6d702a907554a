// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits around connections: descriptors and conntrack, made scarce, and what `doctor` says of them.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    harness::{Report, not_run},
    netns, nftables,
    socket::{LOCALHOST, Socket},
    tool,
};

pub fn run(report: &mut Report) {
    report.test("limits/descriptors", descriptors);
    report.test("limits/conntrack", conntrack);
}

fn doctor(arguments: &[&str]) -> Result<tool::Answer> {
    let mut command = Command::new(tool::path());
    let finished = tool::run(command.args(["doctor", "--format", "json"]).args(arguments))?;
    ensure!(finished.code == Some(0), "exit code {:?}: {}", finished.code, finished.stderr.trim());
    tool::parse(&finished.stdout)
}

/// The limit of one process, and how much of it is taken.
fn descriptors() -> Result<()> {
    const LIMIT: u64 = 300;
    const OPEN: u64 = 290;
    let mut command = Command::new("/bin/sleep");
    // SAFETY: system calls only.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            // 0 to 2 are there already, and what is open beyond them is closed at exec.
            for descriptor in 3..OPEN as i32 {
                libc::dup2(0, descriptor);
            }
            Ok(())
        });
    }
    let mut child = command.arg("60").stdin(Stdio::null()).spawn().context("could not start sleep")?;
    let result = (|| {
        let answer = doctor(&[])?;
        let of_child = |line: &&Value| line["pid"] == child.id();
        let row = answer.of("limit").find(of_child).context("no row for the process")?;
        ensure!((&row["used"], &row["max"]) == (&OPEN.into(), &LIMIT.into()), "{row}");
        let name = format!("sleep ({})", child.id());
        let found = answer.of("finding").find(|line| line["evidence"]["process"] == name.as_str());
        let found = found.context("no finding about the process")?;
        ensure!(found["code"] == "limit-near" && found["severity"] == "warning", "{found}");
        Ok(())
    })();
    child.kill()?;
    child.wait()?;
    result
}

const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// A table that is full drops SYNs; the kernel counts them.
fn conntrack() -> Result<()> {
    let Ok(before) = fs::read_to_string(MAX) else {
        return Err(not_run("this kernel has no conntrack"));
    };
    fs::write(MAX, "64")?;
    let result = netns::within("caller", |netns| {
        nftables::track_connections()?;
        let remote = SocketAddr::new(LOCALHOST, 2001);
        let _listener = Socket::listener(remote, 256)?;
        let mut connections = Vec::new();
        let mut open = |count| {
            for _ in 0..count {
                let socket = Socket::tcp(LOCALHOST)?.nonblocking()?;
                let _ = socket.connect(remote);
                connections.push(socket);
            }
            anyhow::Ok(())
        };
        open(60)?;
        let entries: u64 = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count")?.trim().parse()?;
        let answer = doctor(&[])?;
        let row = answer.of("limit").find(|line| line["limit"] == "conntrack" && line["netns"] == netns.inode);
        let row = row.context("no row for the namespace")?;
        ensure!(entries >= 60 && row["used"] == entries && row["max"] == 64, "{entries} entries, but {row}");
        let found = answer.of("finding").find(|line| line["code"] == "conntrack-full").context("not found")?;
        ensure!(found["severity"] == "warning" && found["evidence"]["netns"] == netns.inode, "{found}");
        Ok(())
    });
    fs::write(MAX, before)?;
    result
}
