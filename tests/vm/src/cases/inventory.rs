// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `ports` says of a range, held against /proc/net/tcp of that namespace and against what was done there.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    harness::Report,
    netns::{self, Netns},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers,
    tool::{self, Tool},
};

const LOW: u16 = 40_000;
const HIGH: u16 = 40_099;
const RESERVED: &str = "40010-40014,50000";
const LISTENING: u16 = 40_021;
const BOUND: u16 = 40_031;
const MARKED: u16 = 40_041;
const SERVICE: u16 = 2001;
const HELD: u64 = 20;
const CLOSED: u64 = 10;

pub fn run(report: &mut Report) {
    for (family, ip) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
        report.test(&format!("inventory/ports_{family}"), || ports(ip));
    }
    report.test("inventory/time_wait_may_be_taken_over", reusable);
    report.test("inventory/one_port_for_many_destinations", shared);
    report.test("inventory/leaves_no_thread_behind", leaves_no_thread_behind);
}

/// A tool that looks on from the machine's own namespace.
fn start(arguments: &[&str]) -> Result<Tool> {
    let mut command = Command::new(tool::path());
    command.args(["ports", "--top", "1000"]).args(arguments);
    Tool::spawn_in(command, None)
}

/// The last row about a service in a namespace.
fn row(tool: Tool, netns: &Netns, dport: u16) -> Result<Value> {
    let answer = tool.stop()?;
    let rows = answer.of("ports").filter(|row| row["netns"] == netns.inode && row["dport"] == dport);
    rows.last().cloned().with_context(|| format!("no row about port {dport} in {}", netns.inode))
}

/// The last row about a namespace.
fn space(tool: Tool, netns: &Netns) -> Result<Value> {
    let answer = tool.stop()?;
    let rows = answer.of("port_space").filter(|row| row["netns"] == netns.inode);
    rows.last().cloned().with_context(|| format!("no row about {}", netns.inode))
}

/// Client ends of one service: held, and in TIME_WAIT.
fn connections(remote: SocketAddr) -> Result<Vec<Socket>> {
    let listener = Socket::listener(remote, 64)?;
    let mut held = vec![];
    for number in 0..HELD + CLOSED {
        let client = Socket::tcp(remote.ip())?;
        ensure!(client.connect(remote) == 0, "connect {number} failed");
        let (server, _) = listener.accept()?;
        if number < CLOSED {
            drop(client);
            drop(server);
        } else {
            held.extend([client, server]);
        }
    }
    held.push(listener);
    Ok(held)
}

/// A connection to another destination whose port bind() chose: no connect() gets that port.
fn bound_elsewhere(ip: IpAddr) -> Result<[Socket; 2]> {
    let remote = SocketAddr::new(ip, SERVICE + 1);
    let listener = Socket::listener(remote, 1)?;
    let client = Socket::resetting(ip)?;
    client.bind(SocketAddr::new(ip, MARKED))?;
    ensure!(client.connect(remote) == 0, "no connection from {MARKED}");
    Ok([listener, client])
}

fn ports(ip: IpAddr) -> Result<()> {
    let tool = start(&[])?;
    netns::within("owner", |netns| {
        netns.set_range(LOW, HIGH)?;
        netns.set("ipv4/ip_local_reserved_ports", RESERVED)?;
        netns.set("ipv4/tcp_tw_reuse", "0")?;
        let _listening = Socket::listener(SocketAddr::new(ip, LISTENING), 1)?;
        let bound = Socket::tcp(ip)?;
        bound.bind(SocketAddr::new(ip, BOUND))?;
        let _held = connections(SocketAddr::new(ip, SERVICE))?;
        let _elsewhere = bound_elsewhere(ip)?;
        let row = row(tool, netns, SERVICE)?;
        let seen = Witness::read(ip)?;
        let lists_bound = tiers::kernel() >= (6, 8);
        let mut skipped: BTreeSet<u16> = (40_010..=40_014).chain([LISTENING]).collect();
        skipped.extend(lists_bound.then_some(BOUND));
        // Of no list, but of a program in the kernel where one can be had.
        let knows_marks = !row["marked"].is_null();
        ensure!(knows_marks || tiers::Tier::available()[0] == tiers::Tier::Tracepoint, "marks are not known: {row}");
        skipped.extend(knows_marks.then_some(MARKED));
        let taken: BTreeSet<u16> = seen.established.union(&seen.time_wait).chain(&skipped).copied().collect();
        let even = taken.iter().filter(|port| **port % 2 == 0).count();
        ensure!(seen.established.len() as u64 == HELD && seen.time_wait.len() as u64 == CLOSED, "{seen:?}");
        let expected = json!({
            "daddr": ip.to_string(), "dport": SERVICE, "range_low": LOW, "range_high": HIGH, "ports": 100,
            "first_half_ports": 50, "first_half_taken": even, "first_half_free": 50 - even,
            "second_half_taken": taken.len() - even, "established": HELD, "time_wait": CLOSED,
            "time_wait_reusable": 0, "reserved": 5, "listening": 1, "close_wait": 0,
            "ports_to_cliff": 50 - even, "ports_to_exhaustion": 100 - taken.len(),
            "owner_pid": std::process::id(),
        });
        for (name, value) in expected.as_object().into_iter().flatten() {
            ensure!(row[name] == *value, "{name} is {}, not {value}: {row}", row[name]);
        }
        ensure!(!knows_marks || row["marked"] == 1, "marked is {}", row["marked"]);
        let bound = if lists_bound { json!(1) } else { Value::Null };
        ensure!(row["bound"] == bound, "bound is {}, not {bound}", row["bound"]);
        Ok(())
    })
}

/// The kernel takes over what is said to be reusable.
fn reusable() -> Result<()> {
    let tool = start(&[])?;
    netns::within("owner", |netns| {
        netns.set_range(LOW, HIGH)?;
        netns.set("ipv4/tcp_tw_reuse", "1")?;
        let remote = SocketAddr::new(LOCALHOST, SERVICE);
        let _held = connections(remote)?;
        // The delay, and the second that its clock may be off.
        std::thread::sleep(Duration::from_millis(2500));
        let row = row(tool, netns, SERVICE)?;
        let seen = Witness::read(LOCALHOST)?;
        ensure!(row["time_wait_reusable"] == seen.time_wait.len(), "{row}, {seen:?}");
        ensure!(row["time_wait"] == 0, "{row}");
        let port = *seen.time_wait.first().context("none in TIME_WAIT")?;
        // Nothing but that port.
        netns.set_range(port, port)?;
        let before = netns.netstat("TWRecycled")?;
        let client = Socket::resetting(LOCALHOST)?;
        ensure!(client.connect(remote) == 0, "the kernel did not take {port} over");
        ensure!(netns.netstat("TWRecycled")? == before + 1, "TWRecycled did not count it");
        Ok(())
    })
}

fn shared() -> Result<()> {
    let tool = start(&[])?;
    netns::within("owner", |netns| {
        // One port only.
        netns.set_range(LOW, LOW)?;
        let mut held = Vec::new();
        for dport in [SERVICE, SERVICE + 1, SERVICE + 2] {
            let remote = SocketAddr::new(LOCALHOST, dport);
            held.push(Socket::listener(remote, 1)?);
            let client = Socket::resetting(LOCALHOST)?;
            ensure!(client.connect(remote) == 0, "no port towards {dport}");
            held.push(client);
        }
        let row = space(tool, netns)?;
        ensure!(row["shared"] == 1 && row["most_shared_port"] == LOW && row["most_shared_by"] == 3, "{row}");
        Ok(())
    })
}

/// A namespace that a visitor enters every second. Between two visits no thread of the tool is in it.
fn leaves_no_thread_behind() -> Result<()> {
    let tool = start(&tool::UNBOUNDED)?;
    let pid = tool.pid();
    let home = fs::read_link(format!("/proc/{pid}/ns/net"))?;
    netns::within("owner", |netns| {
        // As often as it went, it came back. How long a visit takes depends on the machine, and by default how soon the next
        // one follows depends on that.
        const VISITS: u32 = 3;
        let deadline = Instant::now() + Duration::from_secs(60);
        let (mut visits, mut was_away) = (0, false);
        while visits < VISITS {
            let is_away = threads(pid)?.iter().any(|link| *link != home);
            visits += u32::from(was_away && !is_away);
            was_away = is_away;
            ensure!(Instant::now() < deadline, "{visits} of {VISITS} visits ended; away now: {is_away}");
            std::thread::sleep(Duration::from_millis(1));
        }
        space(tool, netns)?;
        Ok(())
    })
}

fn threads(pid: i32) -> Result<Vec<PathBuf>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(tasks.flatten().filter_map(|task| fs::read_link(task.path().join("ns/net")).ok()).collect())
}

/// Local ports of the client ends of SERVICE.
#[derive(Debug, Default)]
struct Witness {
    established: BTreeSet<u16>,
    time_wait: BTreeSet<u16>,
}

impl Witness {
    /// `  0: 0100007F:9C40 0100007F:07D1 01 ...`
    fn read(ip: IpAddr) -> Result<Self> {
        let file = if ip.is_ipv4() { "tcp" } else { "tcp6" };
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
        let mut seen = Self::default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, local, remote, state, ..] = fields[..] else { continue };
            let port = |end: &str| u16::from_str_radix(end.rsplit(':').next()?, 16).ok();
            let (Some(local), Some(SERVICE)) = (port(local), port(remote)) else { continue };
            match state {
                "01" => seen.established.insert(local),
                "06" => seen.time_wait.insert(local),
                _ => true,
            };
        }
        Ok(seen)
    }
}
