// SPDX-License-Identifier: MIT OR Apache-2.0
//! `check` live: verdicts on connects and sockets that the test itself counts.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    harness::Report,
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

const LOW: u16 = 41_000;
/// Ports of the range: half of them are searched first.
const PORTS: u16 = 200;
const REFUSED: usize = 40;
/// Limit for verdicts, which are written at the end.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(report: &mut Report, tiers: &[Tier]) {
    for &tier in tiers {
        report.test(&format!("check/connects/{tier}"), || connects(tier));
    }
    report.test("check/head_room", || head_room(tiers[0]));
    report.test("check/recorded", || recorded(tiers[0]));
}

/// Checks rules while `act` runs in a network namespace of its own; returns the output and the exit code.
fn check<T: Send>(
    tier: Tier,
    more: &[&str],
    act: impl FnOnce(&Netns) -> Result<T> + Send,
    rules: &[String],
) -> Result<(Answer, Option<i32>, T)> {
    netns::within("caller", |netns| {
        let mut command = Command::new(tool::path());
        command.args(["check", "--tier", &tier.to_string(), "--netns", &netns.inode.to_string()]).args(more);
        command.args(rules.iter().flat_map(|rule| ["--rule", rule]));
        let mut tool = Tool::spawn_in(command, None)?;
        let done = act(netns)?;
        tool.signal(libc::SIGTERM);
        let code = tool.wait(PATIENCE)?;
        Ok((tool.so_far()?, code, done))
    })
}

fn verdicts(answer: &Answer) -> Vec<&str> {
    answer.of("rule").filter_map(|line| line["verdict"].as_str()).collect()
}

/// Connects to a port on which no process listens; each must be refused.
fn refused() -> Result<()> {
    for _ in 0..REFUSED {
        let errno = Socket::tcp(LOCALHOST)?.connect(SocketAddr::new(LOCALHOST, 2001));
        ensure!(errno == libc::ECONNREFUSED, "errno {errno}");
    }
    Ok(())
}

fn connects(tier: Tier) -> Result<()> {
    let rules = [
        format!("count(outcome = refused) = {REFUSED}"),
        format!("count(refused) < {REFUSED}"),
        "outcome = refused or port != 2001".into(),
        "p99(port_search) < 60s".into(),
        "share(outcome != refused) > 0 %".into(),
    ];
    let (answer, code, ()) = check(tier, &[], |_| refused(), &rules)?;
    let found = verdicts(&answer).join(" ");
    if answer.missed()? > 0 {
        // What was missed may be a connect: nothing passes then.
        ensure!(!found.contains("PASS"), "{found} although something was missed");
        return Ok(());
    }
    let search = if tier.sees_search() { "PASS" } else { "INDETERMINATE" };
    ensure!(found == format!("PASS FAIL PASS {search} FAIL") && code == Some(3), "{found}, exit code {code:?}");
    Ok(())
}

/// Connections that are held by number, one by one until few ports of the first half are left.
fn head_room(tier: Tier) -> Result<()> {
    let hold = |netns: &Netns| {
        netns.set_range(LOW, LOW + PORTS - 1)?;
        let remote = SocketAddr::new(LOCALHOST, 2002);
        let _listener = Socket::listener(remote, 4096)?;
        let mut held = Vec::new();
        let mut first_half = 0;
        while first_half < 90 {
            let socket = Socket::tcp(LOCALHOST)?;
            ensure!(socket.connect(remote) == 0, "a connect failed");
            first_half += u32::from(socket.local()?.port().is_multiple_of(2));
            held.push(socket);
        }
        // Until the sockets were read.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    };
    let rules = ["headroom > 9 %", "headroom > 10 %", "headroom > 9", "warn: headroom > 50 %"].map(String::from);
    let (answer, code, ()) = check(tier, &["--max-overhead", "100%"], hold, &rules)?;
    let found = verdicts(&answer).join(" ");
    let measured = answer.of("condition").next().context("no condition")?;
    match found.as_str() {
        "PASS FAIL PASS WARN" if code == Some(3) => Ok(()),
        // Where ports that a bind() marked cannot be read, head-room may be less.
        "INDETERMINATE FAIL INDETERMINATE WARN" if code == Some(3) && measured["unknown"].is_string() => Ok(()),
        other => bail!("{other}, exit code {code:?}: {measured}"),
    }
}

/// A recording of the same run has the same verdicts.
fn recorded(tier: Tier) -> Result<()> {
    let recording = tool::temporary("check.rec");
    let path = recording.to_str().context("no UTF-8")?;
    let rule = format!("count(outcome = refused) = {REFUSED}");
    let (answer, code, ()) = check(tier, &["--record", path], |_| refused(), std::slice::from_ref(&rule))?;
    let mut again = Command::new(tool::path());
    let again = tool::run(again.args(["check", path, "--format", "json", "--rule", &rule]))?;
    let _ = std::fs::remove_file(&recording);
    let replayed = tool::parse(&again.stdout)?;
    ensure!(again.code == code && verdicts(&answer) == verdicts(&replayed), "{code:?}, then {}", again.stdout);
    Ok(())
}
