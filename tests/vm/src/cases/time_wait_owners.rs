// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT by owner: who closed first, towards whom, how many are there, against /proc/net/sockstat.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cgroup::Cgroup,
    harness::{Report, not_run},
    netns::{self, Netns},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

const PORT: u16 = 2401;
const COUNT: usize = 25;
const CGROUP: &str = "tcp-trace-closers";

struct Seen {
    netns: u64,
    _kept: File,
    side: &'static str,
    level: u64,
}

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("time_wait_owners/{tier}");
    if !tier.sees_search() || !report.wants(&theme) {
        return;
    }
    let told = (|| {
        let cgroup = Cgroup::make(CGROUP)?;
        let mut command = Command::new(tool::path());
        command.args(["time-wait", "--tier", &tier.to_string(), "--top", "1000", "--interval", "500ms"]);
        let tool = Tool::spawn_in(command, None)?;
        let mut seen = Vec::new();
        for (family, address) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
            for (name, first) in [("client", First::Client), ("server", First::Server)] {
                let seen_here = netns::within("caller", |netns| cgroup.within(|| shorts(netns, address, first)));
                seen.push((format!("{name}_first_{family}"), seen_here));
            }
        }
        Ok((seen, tool.stop()?))
    })();
    match told {
        Err(error) => report.test(&theme, || Err(error)),
        Ok((seen, answer)) => {
            for (name, seen) in seen {
                report.test(&format!("{theme}/{name}"), || compare(&answer, &seen?));
            }
        }
    }
}

/// More network namespaces than the map has room for, in each of which something happens once.
pub fn many_namespaces(report: &mut Report, tier: Tier) {
    report.test("time_wait_owners/many_namespaces", || overflows(tier));
}

fn overflows(tier: Tier) -> Result<()> {
    const NAMESPACES: u64 = 1_200;
    if !tier.sees_search() {
        return Err(not_run("this kernel shows no minisockets being made"));
    }
    // Its summaries have all of them.
    let tool = Tool::start(tier, &["--events", "summary", "--interval", "500ms"])?;
    let mut kept = Vec::new();
    for _ in 0..NAMESPACES {
        kept.push(netns::within("caller", |netns| {
            // Lets no minisocket stay, so that its namespace becomes idle.
            netns.set("ipv4/tcp_max_tw_buckets", "0")?;
            let remote = SocketAddr::new(LOCALHOST, PORT);
            let listener = Socket::listener(remote, 1)?;
            let client = Socket::tcp(LOCALHOST)?;
            let errno = client.connect(remote);
            ensure!(errno == 0, "errno {errno}");
            let (server, _) = listener.accept()?;
            drop(client);
            ensure!(server.receive(&mut [0])? == 0, "something was sent");
            drop(server);
            ensure!(netns.netstat("TCPTimeWaitOverflow")? == 1, "the kernel counts no overflow");
            netns.keep()
        })?);
    }
    let answer = tool.stop()?;
    let rows = answer.final_summary()?["time_wait"].as_array().context("no TIME_WAIT")?;
    let seen: u64 = rows.iter().filter_map(|row| row["overflow"].as_u64()).sum();
    ensure!(seen == NAMESPACES, "{seen} of {NAMESPACES} overflows, in {} namespaces", rows.len());
    Ok(())
}

/// Who closes first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Client,
    Server,
}

fn shorts(netns: &Netns, address: IpAddr, first: First) -> Result<Seen> {
    let remote = SocketAddr::new(address, PORT);
    let listener = Socket::listener(remote, 64)?;
    for _ in 0..COUNT {
        let client = Socket::tcp(address)?;
        let errno = client.connect(remote);
        ensure!(errno == 0, "errno {errno}");
        let (server, _) = listener.accept()?;
        let (first, second) = if first == First::Client { (client, server) } else { (server, client) };
        drop(first);
        ensure!(second.receive(&mut [0])? == 0, "something was sent");
    }
    // The second FIN and its ACK are under way still.
    sleep(Duration::from_millis(50));
    let level = netns.time_wait_level()?;
    ensure!(level == COUNT as u64, "the kernel has {level} in TIME_WAIT");
    let side = if first == First::Client { "opened" } else { "accepted" };
    Ok(Seen { netns: netns.inode, _kept: netns.keep()?, side, level })
}

fn compare(answer: &Answer, seen: &Seen) -> Result<()> {
    let rows: Vec<_> = answer.of("time_wait_owner").filter(|line| line["netns"] == seen.netns).collect();
    let row = rows.last().context("no row")?;
    ensure!(rows.iter().all(|line| line["side"] == seen.side), "another side: {rows:?}");
    ensure!(
        row["pid"] == std::process::id() && row["comm"] == "caller" && row["port"] == PORT,
        "another process: {row}"
    );
    ensure!(row["cgroup"] == format!("/{CGROUP}"), "another cgroup: {row}");
    for field in ["level", "entered"] {
        ensure!(row[field] == seen.level, "{field}: wanted {}: {row}", seen.level);
    }
    ensure!(row["entered_without_timestamps"] == 0, "timestamps are on: {row}");
    let space =
        answer.of("time_wait_netns").filter(|line| line["netns"] == seen.netns).last().context("no namespace")?;
    ensure!(space["level"] == seen.level && space["entered"] == seen.level, "wanted {}: {space}", seen.level);
    Ok(())
}
