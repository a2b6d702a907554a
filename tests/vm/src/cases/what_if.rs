// SPDX-License-Identifier: MIT OR Apache-2.0
//! what-if against the kernel: ports visited as predicted and as they were, where the cliff is, and what changes do.

use std::{collections::HashSet, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{ports_default_range::room_for, what_if_changes};
use crate::{
    harness::{Report, not_run},
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

pub const LOW: u16 = 41_000;
const PORTS: u16 = 400;
pub const HIGH: u16 = LOW + PORTS - 1;
const FIRST_DPORT: u16 = 3001;
/// In percent of the range.
const TAKEN: [u16; 7] = [10, 40, 49, 50, 51, 60, 90];
/// Enough that chance has less than two percent of the mean.
const CONNECTS: u32 = 2000;
/// Where the first half is full each search visits next to the same.
const CONNECTS_BEYOND: u32 = 300;

/// One destination, with a share of the range taken towards it.
pub struct Target {
    pub name: String,
    pub remote: SocketAddr,
    _listener: Socket,
    held: Vec<Socket>,
    connects: u32,
}

pub fn run(report: &mut Report, tier: Tier) {
    if !report.wants("what_if") {
        return;
    }
    if !tier.sees_search() {
        return report.test("what_if", || Err(not_run("this kernel shows no port search")));
    }
    let told = netns::within("caller", |netns| {
        let mut targets = targets(netns)?;
        let before = ask(tier, &targets)?;
        let changes = what_if_changes::make(tier, netns, &mut targets)?;
        let cliffs = [1, 3, 13].map(|at| hold_to_the_cliff(&before, &mut targets[at]));
        let names: Vec<_> = targets.into_iter().map(|target| (target.name, target.remote.port())).collect();
        Ok((names, before, changes, cliffs))
    });
    let (names, before, changes, cliffs) = match told {
        Ok(told) => told,
        Err(error) => return report.test("what_if", || Err(error)),
    };
    for (name, dport) in &names {
        report.test(&format!("what_if/visited/{name}"), || as_predicted(&before, *dport));
    }
    for (result, at) in cliffs.into_iter().zip([1, 3, 13]) {
        report.test(&format!("what_if/cliff/{}", names[at].0), || result);
    }
    for (change, gained) in changes {
        report.test(&format!("what_if/change/{change}"), || gained?.as_predicted());
    }
}

fn targets(netns: &Netns) -> Result<Vec<Target>> {
    room_for(65_536)?;
    netns.set("core/somaxconn", "65535")?;
    let in_order = (LOW..=HIGH).step_by(2).chain((LOW + 1..=HIGH).step_by(2)).collect::<Vec<_>>();
    let mut shuffled = in_order.clone();
    let mut state = 1_u64;
    for at in (1..shuffled.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        shuffled.swap(at, (state >> 33) as usize % (at + 1));
    }
    let mut targets = Vec::new();
    for (how, ports) in [("in_order", &in_order), ("at_random", &shuffled)] {
        for percent in TAKEN {
            let remote = SocketAddr::new(LOCALHOST, FIRST_DPORT + targets.len() as u16);
            let listener = Socket::listener(remote, 65_535)?;
            let mut held = Vec::new();
            for port in &ports[..usize::from(PORTS * percent / 100)] {
                netns.set_range(*port, *port)?;
                held.push(connected(remote)?);
            }
            let connects = if how == "in_order" && percent >= 50 { CONNECTS_BEYOND } else { CONNECTS };
            targets.push(Target { name: format!("{how}_{percent}"), remote, _listener: listener, held, connects });
        }
    }
    netns.set_range(LOW, HIGH)?;
    Ok(targets)
}

pub fn connected(remote: SocketAddr) -> Result<Socket> {
    let socket = Socket::resetting(LOCALHOST)?;
    let errno = socket.connect(remote);
    ensure!(errno == 0, "errno {errno} towards {remote}");
    Ok(socket)
}

fn ask(tier: Tier, targets: &[Target]) -> Result<Answer> {
    asked(tier, &[], || {
        for round in 0..CONNECTS {
            for target in targets.iter().filter(|target| round < target.connects) {
                drop(connected(target.remote)?);
            }
        }
        Ok(())
    })
}

/// What it says after these connects.
pub fn asked(tier: Tier, arguments: &[&str], connect: impl FnOnce() -> Result<()>) -> Result<Answer> {
    let mut command = Command::new(tool::path());
    command.args(["what-if", "--top", "20", "--tier", &tier.to_string()]).args(arguments).args(tool::UNBOUNDED);
    let mut tool = Tool::spawn_in(command, None)?;
    connect()?;
    tool.signal(libc::SIGINT);
    let code = tool.wait(Duration::from_secs(60))?;
    ensure!(code == Some(0), "it ended with {code:?}: {}", tool.errors());
    tool.so_far()
}

pub fn line<'a>(answer: &'a Answer, dport: u16, change: &str) -> Result<&'a Value> {
    let mut lines = answer.of("what_if").filter(|line| line["dport"] == dport);
    lines.find(|line| line["change"] == change).with_context(|| format!("nothing about {dport} with {change:?}"))
}

pub fn number(line: &Value, name: &str) -> Result<f64> {
    line[name].as_f64().with_context(|| format!("no {name} in {line}"))
}

fn as_predicted(answer: &Answer, dport: u16) -> Result<()> {
    let line = line(answer, dport, "")?;
    let (predicted, measured) = (number(line, "ports_visited_current")?, number(line, "ports_visited_measured")?);
    println!("{dport}: {predicted:.2} ports visited predicted, {measured:.2} measured");
    ensure!((predicted / measured - 1.0).abs() < 0.05, "predicted {predicted}, measured {measured} in {line}");
    Ok(())
}

/// As many connections as are said to be left find a port of the first half, and the next does not.
fn hold_to_the_cliff(answer: &Answer, target: &mut Target) -> Result<()> {
    let left = number(line(answer, target.remote.port(), "")?, "ports_to_cliff")? as u32;
    for connect in 0..=left {
        let socket = connected(target.remote)?;
        let first = (socket.local()?.port() - LOW).is_multiple_of(2);
        target.held.push(socket);
        if first != (connect < left) {
            bail!("{left} were left, and number {connect} found a port of the first half: {first}");
        }
    }
    let ports: HashSet<_> = target.held.iter().filter_map(|socket| socket.local().ok()).collect();
    ensure!(ports.len() == target.held.len(), "a port twice");
    Ok(())
}
