// SPDX-License-Identifier: MIT OR Apache-2.0
//! Storms, in front of the tool as users start it: default settings, and connects as fast as this machine makes them. What
//! is counted must be exact whatever was shed, and the cause must be named.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{ledger::balanced, ports_default_range::room_for};
use crate::{
    harness::Report,
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

/// A range whose halves have a thousand ports each.
pub const RANGE: (u16, u16) = (41_000, 42_999);
pub const SERVICE: SocketAddr = SocketAddr::new(LOCALHOST, 2001);
const NOBODY: SocketAddr = SocketAddr::new(LOCALHOST, 2002);
/// Summaries, but no line for each connect: what the text shows, in a form that can be read here.
pub const SUMMARIES: [&str; 2] = ["--events", "summary"];

pub fn run(report: &mut Report, tier: Tier) {
    for (name, storm) in STORMS {
        report.test(&format!("storm/{tier}/{name}/summaries"), || exact(tier, storm, &SUMMARIES));
    }
}

/// What users type.
pub fn by_default(report: &mut Report) {
    report.test("storm/text", text);
}

/// What user space makes of the same counts, so once a kernel.
pub fn with_trouble(report: &mut Report, tier: Tier) {
    for (name, storm) in STORMS {
        report.test(&format!("storm/{tier}/{name}/each"), || exact(tier, storm, &[]));
    }
    report.test(&format!("storm/{tier}/stopped_agent"), || stopped_agent(tier));
    report.test(&format!("storm/{tier}/many_destinations"), || many_destinations(tier));
    report.test(&format!("storm/{tier}/recorded"), || recorded(tier));
    report.test("storm/trigger", trigger);
    report.test("storm/short_processes", short_processes);
}

/// A kind of storm: what is there before, where its connects go, and how each of them ends.
pub struct Storm {
    /// Connections that hold ports before it begins.
    pub held: usize,
    remote: SocketAddr,
    pub connects: u64,
    outcome: &'static str,
    errno: i32,
    /// Every search has to look at the second half.
    second_pass: bool,
    pub finding: &'static str,
}

pub const STORMS: [(&str, &Storm); 3] = [
    (
        "over_the_edge",
        &Storm {
            held: 1_000,
            remote: SERVICE,
            connects: 2_000,
            outcome: "established",
            errno: 0,
            second_pass: true,
            finding: "parity-cliff",
        },
    ),
    (
        "range_full",
        &Storm {
            held: 2_000,
            remote: SERVICE,
            connects: 500,
            outcome: "no_port",
            errno: libc::EADDRNOTAVAIL,
            second_pass: true,
            finding: "range-full",
        },
    ),
    (
        "refused",
        &Storm {
            held: 0,
            remote: NOBODY,
            connects: 5_000,
            outcome: "refused",
            errno: libc::ECONNREFUSED,
            second_pass: false,
            finding: "connect-refused",
        },
    ),
];

impl Storm {
    /// What it needs to begin; the connections last as long as what is returned.
    pub fn prepare(&self, netns: &Netns) -> Result<(Socket, Vec<Socket>)> {
        room_for(8_192)?;
        netns.set_range(RANGE.0, RANGE.1)?;
        fs::write("/proc/sys/net/core/somaxconn", "65535")?;
        let listener = Socket::listener(SERVICE, 65_535)?;
        let connect = || {
            let socket = Socket::resetting(LOCALHOST)?;
            let errno = socket.connect(SERVICE);
            ensure!(errno == 0, "errno {errno} while the range is being filled");
            Ok(socket)
        };
        let held = (0..self.held).map(|_| connect()).collect::<Result<_>>()?;
        Ok((listener, held))
    }

    pub fn rage(&self) -> Result<()> {
        for number in 0..self.connects {
            let errno = Socket::resetting(LOCALHOST)?.connect(self.remote);
            ensure!(errno == self.errno, "errno {errno} of connect {number}");
        }
        Ok(())
    }

    /// Everything that is counted of it, in the answer and in the rows of its process and its destination.
    fn check(&self, answer: &Answer, netns: u64, tier: Tier) -> Result<()> {
        balanced(answer)?;
        let summary = answer.final_summary()?;
        ensure!(summary["connects"] == self.connects, "{} of {} connects", summary["connects"], self.connects);
        ensure!(summary["by_outcome"][self.outcome] == self.connects, "{}", summary["by_outcome"]);
        let row = destination(summary, netns, self.remote)?;
        let process = process(summary, std::process::id())?;
        for row in [row, process] {
            ensure!(row["connects"] == self.connects, "not all {} connects: {row}", self.connects);
            let failures = if self.errno == 0 { 0 } else { self.connects };
            ensure!(row["failures"] == failures, "not {failures} failures: {row}");
            let no_port = if self.outcome == "no_port" { self.connects } else { 0 };
            ensure!(row["no_port"] == no_port, "not {no_port} without a port: {row}");
        }
        let second = if self.second_pass { self.connects } else { 0 };
        if tier.sees_search() || self.outcome == "established" {
            ensure!(summary["second_pass"] == second, "second pass {}, not {second}", summary["second_pass"]);
        }
        self.is_named(answer)
    }

    fn is_named(&self, answer: &Answer) -> Result<()> {
        let codes: Vec<_> = answer.of("finding").filter_map(|line| line["code"].as_str()).collect();
        ensure!(codes.contains(&self.finding), "found {codes:?}, not {}", self.finding);
        Ok(())
    }
}

pub fn destination(summary: &Value, netns: u64, remote: SocketAddr) -> Result<&Value> {
    let is_it = |row: &&Value| {
        row["netns"] == netns && row["daddr"] == remote.ip().to_string() && row["dport"] == remote.port()
    };
    let rows = summary["destinations"].as_array().context("no destinations")?;
    rows.iter().find(is_it).with_context(|| format!("no row for {remote}: {rows:?}"))
}

fn process(summary: &Value, pid: u32) -> Result<&Value> {
    let rows = summary["processes"].as_array().context("no processes")?;
    rows.iter().find(|row| row["pid"] == pid).with_context(|| format!("no row for {pid}: {rows:?}"))
}

fn exact(tier: Tier, storm: &Storm, arguments: &[&str]) -> Result<()> {
    let arguments = [&["--comm", "caller"], arguments].concat();
    let (netns, answer) = netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let tool = Tool::start(tier, &arguments)?;
        storm.rage()?;
        Ok((netns.inode, tool.stop()?))
    })?;
    storm.check(&answer, netns, tier)
}

/// The agent gets no CPU for a while: the ring overflows, the totals do not.
fn stopped_agent(tier: Tier) -> Result<()> {
    const STOPPED: Duration = Duration::from_secs(10);
    let storm = STORMS[2].1;
    let (netns, answer, connects) = netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let tool = Tool::start(tier, &["--comm", "caller"])?;
        tool.signal(libc::SIGSTOP);
        let begun = Instant::now();
        let mut connects = 0;
        while begun.elapsed() < STOPPED || connects < storm.connects {
            storm.rage()?;
            connects += storm.connects;
        }
        tool.signal(libc::SIGCONT);
        Ok((netns.inode, tool.stop()?, connects))
    })?;
    Storm { connects, ..*storm }.check(&answer, netns, tier)
}

/// More destinations than there is room for, and among them one that most connects go to.
fn many_destinations(tier: Tier) -> Result<()> {
    /// What an emulated machine makes of the largest number in the time that it is given will do, if it is not too few.
    const DESTINATIONS: std::ops::RangeInclusive<u32> = 12_000..=100_000;
    const TIME: Duration = Duration::from_secs(15);
    const HEAVY_EVERY: u32 = 4;
    let arguments = [&["--comm", "caller", "--top", "1024"], &SUMMARIES[..]].concat();
    let (netns, destinations, answer) = netns::within("caller", |netns| {
        let tool = Tool::start(tier, &arguments)?;
        let begun = Instant::now();
        let mut number = 0;
        while number < *DESTINATIONS.start() || (number < *DESTINATIONS.end() && begun.elapsed() < TIME) {
            let ip: IpAddr = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number).into();
            let heavy = number.is_multiple_of(HEAVY_EVERY).then_some(NOBODY);
            for remote in [Some(SocketAddr::new(ip, 2003)), heavy].into_iter().flatten() {
                let errno = Socket::tcp(ip)?.connect(remote);
                ensure!(errno == libc::ECONNREFUSED, "errno {errno}");
            }
            number += 1;
        }
        Ok((netns.inode, number, tool.stop()?))
    })?;
    balanced(&answer)?;
    let heavy = u64::from(destinations.div_ceil(HEAVY_EVERY));
    let made = u64::from(destinations) + heavy;
    let summary = answer.final_summary()?;
    ensure!(summary["connects"] == made, "{} of {made} connects", summary["connects"]);
    let row = destination(summary, netns, NOBODY)?;
    ensure!(row["connects"] == heavy, "not {heavy}: {row}");
    let rows = summary["destinations"].as_array().context("no destinations")?;
    let in_rows: u64 = rows.iter().filter_map(|row| row["connects"].as_u64()).sum();
    let other = &summary["other"]["destinations"];
    let without_row = other["without_row"].as_u64().context("not how many are in no row")?;
    let other = other["connects"].as_u64().context("no other destinations")?;
    ensure!(in_rows + other == made, "{in_rows} in rows and {other} in others are not {made}");
    ensure!(without_row > 0, "there was room for all {destinations}, so this test sees nothing");
    let finding =
        answer.of("finding").find(|line| line["code"] == "connect-refused").context("refusals are not named")?;
    let headline = finding["headline"].as_str().context("no headline")?;
    ensure!(headline.contains(&NOBODY.to_string()), "not about the largest: {headline}");
    Ok(())
}

/// What a run that shed events has recorded gives the same findings again, and the same answer.
fn recorded(tier: Tier) -> Result<()> {
    let storm = STORMS[0].1;
    let recording = tool::temporary("rec");
    let file = recording.to_str().context("UTF-8")?;
    let (netns, answer) = netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let tool = Tool::start(tier, &["--comm", "caller", "--record", file])?;
        storm.rage()?;
        Ok((netns.inode, tool.stop()?))
    })?;
    storm.check(&answer, netns, tier)?;
    let mut replay = Command::new(tool::path());
    let again = tool::run(replay.args(["replay", file, "connect-latency", "--format", "json"]))?;
    ensure!(again.code == Some(0), "exit code {:?}: {}", again.code, again.stderr.trim());
    let again = tool::parse(&again.stdout)?;
    storm.check(&again, netns, tier)?;
    ensure!(again.lines == answer.lines, "another answer than live");
    fs::remove_file(recording)?;
    Ok(())
}

/// `connect-latency` as the README has it, with its output in a file.
fn text() -> Result<()> {
    let storm = STORMS[0].1;
    let output = tool::temporary("text");
    netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let mut command = Command::new(tool::path());
        command.arg("connect-latency");
        let mut tool = Tool::spawn_to(command, &output)?;
        storm.rage()?;
        tool.signal(libc::SIGINT);
        let code = tool.wait(Duration::from_secs(30))?;
        ensure!(code == Some(0), "it ended with {code:?}: {}", tool.errors());
        let said = fs::read_to_string(&output)?;
        let last = said.rfind("\nparity-cliff (").context("parity-cliff is not named")?;
        ensure!(said[last..].starts_with("\nparity-cliff (critical)"), "{}", &said[last..]);
        Ok(())
    })
}

/// A flight recorder is not blind to what is shed.
fn trigger() -> Result<()> {
    let storm = STORMS[2].1;
    let recording = tool::temporary("rec");
    netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let mut command = Command::new(tool::path());
        command.arg("record").arg(&recording).args(["--trigger", "outcome=refused", "--after", "1s"]);
        let mut tool = Tool::spawn_alone(command)?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while tool.wait(Duration::from_millis(1)).is_err() {
            storm.rage()?;
            ensure!(Instant::now() < deadline, "the trigger does not fire: {}", tool.errors());
        }
        ensure!(recording.exists(), "it ended without a recording: {}", tool.errors());
        Ok(())
    })?;
    fs::remove_file(recording)?;
    Ok(())
}

/// Many processes that connect once and end, then one that does most of it: it has its row.
fn short_processes() -> Result<()> {
    const SHORT: u64 = 3_000;
    let storm = STORMS[2].1;
    let (answer, pids) = netns::within("caller", |netns| {
        let _held = storm.prepare(netns)?;
        let mut command = Command::new(tool::path());
        command.args(["connect-latency", "--comm", "caller", "--top", "1024"]).args(SUMMARIES);
        let tool = Tool::spawn_in(command, None)?;
        let mut pids = BTreeMap::new();
        for _ in 0..SHORT {
            *pids.entry(connects_in_a_child()?).or_insert(0_u64) += 1;
        }
        storm.rage()?;
        thread::sleep(Duration::from_millis(100));
        Ok((tool.stop()?, pids))
    })?;
    balanced(&answer)?;
    let summary = answer.final_summary()?;
    ensure!(summary["connects"] == SHORT + storm.connects, "{} connects", summary["connects"]);
    let row = process(summary, std::process::id())?;
    ensure!(row["connects"] == storm.connects, "not all {} connects: {row}", storm.connects);
    // A pid that was used again is another process.
    let rows = summary["processes"].as_array().context("no processes")?;
    for row in rows.iter().filter(|row| row["pid"] != std::process::id()) {
        let pid = row["pid"].as_u64().context("no pid")?;
        ensure!(row["connects"] == 1 && pids.contains_key(&(pid as i32)), "not one connect of a child: {row}");
    }
    Ok(())
}

/// The pid of a child that connected once, without success, and ended.
fn connects_in_a_child() -> Result<i32> {
    let socket = Socket::tcp(LOCALHOST)?;
    // SAFETY: the child only makes system calls and leaves without running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = socket.connect(NOBODY) == libc::ECONNREFUSED;
        // SAFETY: the child only makes system calls and leaves without running destructors.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    let mut status = -1;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    ensure!(child > 0 && status == 0, "the child could not connect");
    Ok(child)
}
