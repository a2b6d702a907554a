// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fewer privileges than root's: what each kernel asks for, and what still works.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    harness::{Report, not_run},
    lab::Lab,
    netns, seen,
    socket::{LOCALHOST, Socket},
    tiers::{self, Tier},
    tool::{self, Tool},
};

pub fn run(report: &mut Report, tiers: &[Tier]) {
    report.test("privileges/only_bpf_and_perfmon", only_bpf_and_perfmon);
    report.test("privileges/no_syslog", no_syslog);
    report.test("privileges/one_less_is_refused_in_words", one_less);
    for tier in tiers {
        report.test(&format!("privileges/{tier}/confined_once_attached"), || confined(*tier));
    }
    let searches: Vec<_> = tiers.iter().filter(|tier| tier.sees_search()).collect();
    if searches.is_empty() || !report.wants("privileges/") {
        return;
    }
    // It takes a while to fill the ports: once for all.
    let lab = Lab::stage("parity-cliff", &["--rate", "10"]);
    for tier in searches {
        report.test(&format!("privileges/{tier}/port_probes_again_and_again"), || match &lab {
            Ok(_) => port_probes(*tier),
            Err(error) => bail!("{error:#}"),
        });
    }
}

/// Ends what hangs: the lab begins below the cliff, and a burst follows the first search beyond it.
const PATIENCE: Duration = Duration::from_secs(180);

const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYSLOG: u32 = 34;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

fn checked(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Becomes an unprivileged user, with capabilities that survive the exec.
fn become_nobody_with(capabilities: &[u32]) -> io::Result<()> {
    let mask = capabilities.iter().fold(0_u64, |mask, capability| mask | 1 << capability);
    let (low, high) = (mask as u32, (mask >> 32) as u32);
    // struct __user_cap_header_struct of version 3; two of effective, permitted, inheritable.
    let header = [0x2008_0522_u32, 0];
    let sets = [low, low, low, high, high, high];
    // SAFETY: system calls with integers, and with two arrays that outlive theirs.
    unsafe {
        checked(libc::prctl(libc::PR_SET_KEEPCAPS, 1).into())?;
        checked(libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534))?;
        checked(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()))?;
        for capability in capabilities {
            let capability = *capability;
            checked(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0).into())?;
        }
    }
    Ok(())
}

fn only_bpf_and_perfmon() -> Result<()> {
    if tiers::kernel() < (6, 1) {
        return Err(not_run("before 6.1 more capabilities are needed"));
    }
    let mut command = connect_latency();
    // SAFETY: the function only makes system calls.
    unsafe { command.pre_exec(|| become_nobody_with(&[CAP_BPF, CAP_PERFMON])) };
    // The output is a file in /tmp that root has created: the unprivileged user must be able to write it.
    let folder = tool::temporary("unprivileged");
    fs::create_dir_all(&folder)?;
    std::os::unix::fs::chown(&folder, Some(65534), Some(65534))?;
    let result = sees_a_connect(command, Some(&folder));
    let _ = fs::remove_dir_all(&folder);
    result
}

fn no_syslog() -> Result<()> {
    let mut command = connect_latency();
    // SAFETY: the closure only makes a system call.
    unsafe { command.pre_exec(|| checked(libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYSLOG, 0, 0, 0).into())) };
    sees_a_connect(command, None)
}

fn one_less() -> Result<()> {
    if tiers::kernel() < (6, 1) {
        return Err(not_run("before 6.1 more capabilities are needed"));
    }
    for (kept, missing) in [(CAP_PERFMON, "CAP_BPF"), (CAP_BPF, "CAP_PERFMON")] {
        let mut command = connect_latency();
        command.args(["--duration", "1s"]);
        // SAFETY: the function only makes system calls.
        unsafe { command.pre_exec(move || become_nobody_with(&[kept])) };
        let ended = command.output()?;
        let words = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.code() == Some(77), "without {missing}: {:?}, {words}", ended.status);
        ensure!(words.contains(missing), "without {missing}: {words}");
    }
    Ok(())
}

/// With the port probes attached now and then, and without them.
fn confined(tier: Tier) -> Result<()> {
    for port_probes in ["auto", "never"] {
        let mut command = connect_latency();
        command.args(["--port-probes", port_probes, "--tier", &tier.to_string()]);
        let tool = Tool::spawn_in(command, None)?;
        let status = fs::read_to_string(format!("/proc/{}/status", tool.pid()))?;
        tool.stop()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let what = format!("{tier}, port probes {port_probes}");
        ensure!(field("NoNewPrivs:") == Some("1") && field("Seccomp:") == Some("2"), "{what}: {status}");
        let effective = u64::from_str_radix(field("CapEff:").context("no CapEff")?, 16)?;
        let mut expected = 1 << CAP_DAC_READ_SEARCH | 1 << CAP_SYS_ADMIN | 1_u64 << CAP_BPF;
        if port_probes == "auto" && tier.sees_search() {
            expected |= 1 << CAP_PERFMON;
        }
        ensure!(effective == expected, "{what}: {effective:x} is not {expected:x}");
    }
    Ok(())
}

/// What it takes to attach them is still allowed: on some kernels their programs are loaded anew each time.
fn port_probes(tier: Tier) -> Result<()> {
    let mut command = Command::new(tool::path());
    command.args(["-v", "connect-latency", "--tier", &tier.to_string(), "--events", "summary"]).args(tool::UNBOUNDED);
    let tool = Tool::spawn_in(command, None)?;
    let deadline = Instant::now() + PATIENCE;
    let mut bursts = 0;
    while bursts < 2 {
        ensure!(Instant::now() < deadline, "{bursts} bursts: {}", tool.errors());
        std::thread::sleep(Duration::from_millis(100));
        bursts = tool.so_far()?.of("summary").filter_map(|summary| summary["port_probe_bursts"].as_u64()).sum();
    }
    let words = tool.errors();
    ensure!(!words.contains("no port probes"), "{words}");
    tool.stop().map(drop)
}

/// The tool works: one connect has its line, with visits that are right or null.
fn sees_a_connect(command: Command, folder: Option<&Path>) -> Result<()> {
    let tool = Tool::spawn_in(command, folder)?;
    let netns = netns::within("caller", |netns| {
        let remote = SocketAddr::new(LOCALHOST, 2001);
        let _listener = Socket::listener(remote, 16)?;
        seen::established(remote)?;
        Ok(netns.inode)
    })?;
    let answer = tool.stop()?;
    let lines = answer.connects(netns);
    let [line] = lines[..] else { bail!("{} lines for one connect", lines.len()) };
    ensure!(line["outcome"] == "established", "{line}");
    ensure!(line["ports_visited"].is_null() || line["ports_visited"] == 1, "{line}");
    Ok(())
}

fn connect_latency() -> Command {
    let mut command = Command::new(tool::path());
    command.arg("connect-latency").args(tool::UNBOUNDED);
    command
}
