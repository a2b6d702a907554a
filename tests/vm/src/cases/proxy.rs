// SPDX-License-Identifier: MIT OR Apache-2.0
//! nginx beyond the parity cliff, towards its upstream: what a triggered recording tells afterwards, and whether the
//! advice helps as much as it promises. What is recorded leaves the guest, to be replayed by the host.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{ports_default_range::room_for, programs::proxied};
use crate::{
    harness::{Report, not_run},
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

/// A range small enough to be filled soon.
const RANGE: (u16, u16) = (41_000, 44_999);
/// More than half of it.
const HELD: usize = 2_200;
const UPSTREAM: SocketAddr = SocketAddr::new(LOCALHOST, 2002);
/// What the host gets.
const RESULTS: &str = "/dev/results";

/// What the tool reported.
struct Told {
    /// Ports visited by each of nginx's connects, before and after the advice was taken.
    visited: [f64; 2],
    advice: Advice,
    recording: PathBuf,
    /// `replay FILE doctor`
    causes: Answer,
}

/// The range that `what-if` suggests, and what it promises.
struct Advice {
    range: (u16, u16),
    visited: f64,
}

pub fn run(report: &mut Report, tier: Tier) {
    if !report.wants("proxy") {
        return;
    }
    if !tier.sees_search() {
        return report.test("proxy", || Err(not_run("this kernel shows no port search")));
    }
    match netns::within("caller", |netns| stage(netns, tier)) {
        Err(error) => report.test("proxy", || Err(error)),
        Ok(told) => {
            report.test("proxy/recording", || recorded(&told));
            report.test("proxy/advice", || helps(&told));
        }
    }
}

fn stage(netns: &Netns, tier: Tier) -> Result<Told> {
    room_for(65_536)?;
    netns.set_range(RANGE.0, RANGE.1)?;
    let upstream = Socket::listener(UPSTREAM, 4096)?;
    let mut held = Vec::new();
    for _ in 0..HELD {
        let client = Socket::resetting(LOCALHOST)?;
        ensure!(client.connect(UPSTREAM) == 0, "could not fill the range");
        held.push((client, upstream.accept()?));
    }
    let recording = tool::temporary("recording");
    let mut record = Command::new(tool::path());
    record.args(["record", "--trigger", "p99(port_search) > 1ms or outcome = no_port", "--keep", "60s"]);
    record.arg(&recording).args(["--tier", &tier.to_string()]).args(tool::UNBOUNDED);
    let mut record = Tool::spawn_alone(record)?;
    let before = visited(netns, tier, &upstream)?;
    record.signal(libc::SIGINT);
    let code = record.wait(Duration::from_secs(120))?;
    ensure!(code == Some(0), "record ended with {code:?}: {}", record.errors());
    let causes = replayed(&recording, &["doctor"])?;
    let advice = advice(&replayed(&recording, &["what-if", "--top", "20"])?, netns)?;
    netns.set_range(advice.range.0, advice.range.1)?;
    let visited = [before, visited(netns, tier, &upstream)?];
    Ok(Told { visited, advice, recording, causes })
}

/// Ports visited by each of nginx's connects to its upstream.
fn visited(netns: &Netns, tier: Tier, upstream: &Socket) -> Result<f64> {
    let tool = Tool::start_with_each_event(tier, &["--comm", "nginx"])?;
    let ports = proxied(upstream)?;
    let answer = tool.stop()?;
    let lines = answer.connects(netns.inode);
    let of_upstream = lines.iter().filter(|line| line["dport"] == UPSTREAM.port());
    let visited: Option<Vec<u64>> = of_upstream.map(|line| line["ports_visited"].as_u64()).collect();
    let visited = visited.context("a connect whose ports visited are not known")?;
    ensure!(visited.len() == ports.len(), "{} connects, the upstream saw {}", visited.len(), ports.len());
    Ok(visited.iter().sum::<u64>() as f64 / visited.len() as f64)
}

fn replayed(recording: &Path, command: &[&str]) -> Result<Answer> {
    let mut replay = Command::new(tool::path());
    let finished = tool::run(replay.arg("replay").arg(recording).args(command).args(["--format", "json"]))?;
    ensure!(finished.code == Some(0), "exit code {:?}: {}", finished.code, finished.stderr.trim());
    tool::parse(&finished.stdout)
}

fn advice(answer: &Answer, netns: &Netns) -> Result<Advice> {
    let lines = answer.of("what_if").filter(|line| line["netns"] == netns.inode && line["dport"] == UPSTREAM.port());
    let mut ranges = lines.filter_map(|line| {
        let (low, high) = line["change"].as_str()?.strip_prefix("--range ")?.split_once('-')?;
        Some((low.parse().ok()?, high.parse().ok()?, line["ports_visited_current"].as_f64()?))
    });
    let (low, high, visited) = ranges.next().context("what-if advises no other range")?;
    Ok(Advice { range: (low, high), visited })
}

fn recorded(told: &Told) -> Result<()> {
    let finding = told.causes.of("finding").next().context("no finding")?;
    ensure!(finding["code"] == "parity-cliff", "first is {finding}");
    println!("finding: {finding}");
    fs::copy(&told.recording, RESULTS).map(|_| ()).context("could not take the recording out")
}

fn helps(told: &Told) -> Result<()> {
    let ([was, is], Advice { range: (low, high), visited }) = (told.visited, &told.advice);
    println!("{was:.1} ports visited; {low}-{high}: {visited:.1} promised, {is:.1} measured");
    let (gain, promised) = (was - is, was - visited);
    ensure!((promised / gain - 1.0).abs() < 0.1, "a gain of {gain}, promised {promised}");
    Ok(())
}
