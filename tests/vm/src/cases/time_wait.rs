// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT: passages, levels and overflows against the kernel's own counters; what candidates in it do to a search.

use std::{
    fs::File,
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::ports::{Series, Step, compare};
use crate::{
    harness::Report,
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{Answer, Tool},
    witness::Witness,
};

/// Long enough for a TIME_WAIT to be reusable by every kernel's rule: more than a second, by a clock of whole seconds.
const REUSABLE: Duration = Duration::from_millis(2100);

pub fn run(report: &mut Report, tier: Tier) {
    if tier.sees_search() {
        passages(report, tier);
        candidates(report, tier);
    }
}

/// What the kernel's own counters said.
struct Seen {
    netns: u64,
    entered: u64,
    reused: u64,
    by_syn: u64,
    expired: u64,
    overflows: u64,
    level: u64,
}

fn passages(report: &mut Report, tier: Tier) {
    let theme = format!("time_wait/{tier}");
    if !report.wants(&theme) {
        return;
    }
    let told = (|| {
        let tool = Tool::start_with_each_event(tier, &["--events", "connect,time-wait,summary"])?;
        let seen =
            [("flood", flood as Act), ("reuse", reuse), ("syn", syn), ("overflow", overflow), ("expiry", expiry)];
        let mut kept: Vec<File> = Vec::new();
        let seen = seen.map(|(name, act)| {
            let within = netns::within("caller", |netns| {
                kept.push(netns.keep()?);
                act(netns)
            });
            (name, within)
        });
        Ok((seen, tool.stop()?))
    })();
    match told {
        Err(error) => report.test(&theme, || Err(error)),
        Ok((seen, answer)) => {
            for (name, seen) in seen {
                report.test(&format!("{theme}/{name}"), || compare_passages(&answer, &seen?));
            }
            report.test(&format!("{theme}/nothing_lost"), || answer.nothing_lost());
        }
    }
}

type Act = fn(&Netns) -> Result<Seen>;

/// One short connection, closed by the client first; its port.
fn short(listener: &Socket, remote: SocketAddr) -> Result<u16> {
    let client = Socket::tcp(remote.ip())?;
    let errno = client.connect(remote);
    ensure!(errno == 0, "errno {errno}");
    let port = client.local()?.port();
    let (server, _) = listener.accept()?;
    drop(client);
    ensure!(server.receive(&mut [0])? == 0, "the client sent something");
    Ok(port)
}

fn shorts(count: usize) -> Result<SocketAddr> {
    let remote = SocketAddr::new(LOCALHOST, 2001);
    let listener = Socket::listener(remote, 64)?;
    for _ in 0..count {
        short(&listener, remote)?;
    }
    // The server's FIN and its ACK are under way still.
    sleep(Duration::from_millis(50));
    Ok(remote)
}

fn counters(netns: &Netns, entered: u64) -> Result<Seen> {
    Ok(Seen {
        netns: netns.inode,
        entered,
        reused: netns.netstat("TWRecycled")?,
        by_syn: 0,
        expired: 0,
        overflows: netns.netstat("TCPTimeWaitOverflow")?,
        level: netns.time_wait_level()?,
    })
}

fn flood(netns: &Netns) -> Result<Seen> {
    shorts(40)?;
    counters(netns, 40)
}

/// The range has as many ports as there are in TIME_WAIT: who connects then has to take one of them over.
fn reuse(netns: &Netns) -> Result<Seen> {
    netns.set_range(41000, 41019)?;
    // On a slow machine the first ones could be taken over before the last ones are there.
    netns.set("ipv4/tcp_tw_reuse", "0")?;
    let remote = shorts(20)?;
    sleep(REUSABLE);
    netns.set("ipv4/tcp_tw_reuse", "1")?;
    let _listener = Socket::listener(remote, 64)?;
    let mut held = Vec::new();
    for _ in 0..7 {
        let socket = Socket::resetting(LOCALHOST)?;
        let errno = socket.connect(remote);
        ensure!(errno == 0, "errno {errno}");
        held.push(socket);
    }
    let seen = counters(netns, 20)?;
    ensure!(seen.reused == 7, "the kernel reused {}", seen.reused);
    Ok(seen)
}

/// The server closes first; then the client comes back from the same port, and its SYN takes the TIME_WAIT over.
fn syn(netns: &Netns) -> Result<Seen> {
    let remote = SocketAddr::new(LOCALHOST, 2001);
    let local = SocketAddr::new(LOCALHOST, 2101);
    let listener = Socket::listener(remote, 16)?;
    for pause in [REUSABLE, Duration::ZERO] {
        let client = Socket::resetting(LOCALHOST)?;
        client.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
        client.bind(local)?;
        let errno = client.connect(remote);
        ensure!(errno == 0, "errno {errno}");
        let (server, _) = listener.accept()?;
        if !pause.is_zero() {
            drop(server);
            ensure!(client.receive(&mut [0])? == 0, "the server sent something");
            client.set(libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 0, l_linger: 0 })?;
        }
        drop(client);
        sleep(pause);
    }
    Ok(Seen { by_syn: 1, ..counters(netns, 1)? })
}

fn overflow(netns: &Netns) -> Result<Seen> {
    netns.set("ipv4/tcp_max_tw_buckets", "5")?;
    shorts(12)?;
    let seen = counters(netns, 5)?;
    ensure!(seen.overflows == 7, "the kernel counted {} overflows", seen.overflows);
    Ok(seen)
}

/// The server never closes: what waits for its FIN is given up after tcp_fin_timeout.
fn expiry(netns: &Netns) -> Result<Seen> {
    netns.set("ipv4/tcp_fin_timeout", "1")?;
    let remote = SocketAddr::new(LOCALHOST, 2001);
    let listener = Socket::listener(remote, 16)?;
    let client = Socket::tcp(LOCALHOST)?;
    let errno = client.connect(remote);
    ensure!(errno == 0, "errno {errno}");
    let _server = listener.accept()?;
    drop(client);
    sleep(Duration::from_millis(100));
    ensure!(netns.time_wait_level()? == 1, "the kernel counts {}", netns.time_wait_level()?);
    let deadline = Instant::now() + Duration::from_secs(10);
    while netns.time_wait_level()? > 0 {
        ensure!(Instant::now() < deadline, "it was not given up");
        sleep(Duration::from_millis(50));
    }
    Ok(Seen { expired: 1, ..counters(netns, 1)? })
}

fn compare_passages(answer: &Answer, seen: &Seen) -> Result<()> {
    let events: Vec<_> = answer.of("time_wait").filter(|line| line["netns"] == seen.netns).collect();
    let of = |name: &str| events.iter().filter(|line| line["event"] == name).count() as u64;
    for (event, wanted) in [("enter", seen.entered), ("reuse", seen.reused), ("overflow", seen.overflows)] {
        ensure!(of(event) == wanted, "{event}: wanted {wanted}, got {}", of(event));
    }
    let by_syn = events.iter().filter(|line| line["reason"] == "syn").count() as u64;
    ensure!(by_syn == seen.by_syn, "taken over by a SYN: wanted {}, got {by_syn}", seen.by_syn);
    for line in events.iter().filter(|line| line["event"] == "enter") {
        let ours = line["owner_pid"] == std::process::id() && line["owner_comm"] == "caller";
        ensure!(ours && (line["dport"] == 2001 || line["sport"] == 2001), "another process: {line}");
    }
    let last = events.iter().rev().find(|line| line["event"] != "overflow" && line["event"] != "fin_received");
    let level = &last.context("no event")?["level"];
    ensure!(*level == seen.level, "level: wanted {}, got {level}", seen.level);

    let totals = answer.final_summary()?["time_wait"].as_array().context("no time_wait in the summary")?;
    let total = totals.iter().find(|total| total["netns"] == seen.netns).context("no total for the namespace")?;
    let wanted = [
        ("entered", seen.entered),
        ("reused", seen.reused),
        ("by_syn", seen.by_syn),
        ("expired", seen.expired),
        ("overflow", seen.overflows),
    ];
    for (field, wanted) in wanted {
        ensure!(total[field] == wanted, "summary: {field}: wanted {wanted}: {total}");
    }
    Ok(())
}

fn candidates(report: &mut Report, tier: Tier) {
    let theme = format!("candidates/{tier}");
    if !report.wants(&theme) {
        return;
    }
    report.test(&theme, || {
        let witness = Witness::attach()?;
        let tool = Tool::start_with_each_event(tier, &["--port-probes", "always"])?;
        let (netns, steps) = netns::within("caller", |netns| Ok((netns.inode, between_time_waits(netns, &witness)?)))?;
        let answer = tool.stop()?;
        let lines = answer.connects(netns);
        ensure!(lines.iter().all(|line| !line["candidates_in_use"].is_null()), "candidates are null: {lines:?}");
        compare(&answer, netns, &steps).map(|_| ())
    });
}

/// Six ports in TIME_WAIT that may not be reused, then may; the others get taken.
fn between_time_waits(netns: &Netns, witness: &Witness) -> Result<Vec<Step>> {
    let range = (41000, 41039);
    netns.set_range(range.0, range.1)?;
    netns.set("ipv4/tcp_tw_reuse", "0")?;
    let mut series = Series::new(witness, LOCALHOST, range);
    let listener = Socket::listener(series.remote, 256)?;
    for _ in 0..6 {
        let port = series.connect(true)?.context("no port")?;
        let (server, _) = listener.accept()?;
        let client = series.held.pop().context("no socket")?;
        client.set(libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 0, l_linger: 0 })?;
        drop(client);
        ensure!(server.receive(&mut [0])? == 0, "port {port} sent something");
    }
    while series.connect(true)?.is_some() {}
    netns.set("ipv4/tcp_tw_reuse", "1")?;
    sleep(REUSABLE);
    // Which ones may be taken over is not for the walk to know.
    series.known = false;
    for _ in 0..6 {
        ensure!(series.connect(true)?.is_some(), "no TIME_WAIT was reused");
    }
    Ok(series.steps)
}
