// SPDX-License-Identifier: MIT OR Apache-2.0
//! States: who opens and ends connections, and how, against the kernel's own counters, /proc/net/tcp and clocks here.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    harness::Report,
    netns::{self, Netns},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
    tool::{self, Answer, LEFT_OUT, Tool},
};

const PORT: u16 = 2301;
/// Connections of each act.
const COUNT: u64 = 6;
const CLOSE_WAIT: &str = "08";
const UNREAD: &[u8] = b"unread data here!";

/// What there was to see in one namespace, and what the rows of both ends must say of it.
#[derive(Default)]
struct Seen {
    netns: u64,
    _kept: Vec<fs::File>,
    /// Open until the answer is there.
    _held: Vec<Socket>,
    opened: Vec<(&'static str, u64)>,
    accepted: Vec<(&'static str, u64)>,
    /// A field of the opened end, and the least and the most that it may be.
    between: Option<(&'static str, u64, u64)>,
    /// Events that end in ESTABLISHED, as the kernel counts opens.
    opens: u64,
}

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("states/{tier}");
    if !report.wants(&theme) {
        return;
    }
    let told = (|| {
        let mut command = Command::new(tool::path());
        command
            .args(["states", "--events", "--tier", &tier.to_string(), "--top", "1000", "--interval", "500ms"])
            .args(tool::UNBOUNDED);
        let tool = Tool::spawn_in(command, None)?;
        let mut seen = Vec::new();
        for (family, address) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
            for (name, act) in acts(tier) {
                let remote = SocketAddr::new(address, PORT);
                seen.push((format!("{name}_{family}"), netns::within("caller", |netns| act(netns, remote))));
            }
        }
        let left_out = tool.left_out()?;
        Ok((seen, left_out, tool.stop()?))
    })();
    match told {
        Err(error) => report.test(&theme, || Err(error)),
        Ok((seen, left_out, answer)) => {
            for (name, seen) in seen {
                report.test(&format!("{theme}/{name}"), || compare(&answer, &seen?, tier, answer.missed()?));
            }
            report.test(&format!("{theme}/nothing_lost"), || {
                let told = answer.final_summary()?["ledger"]["missed_runs"].as_u64();
                ensure!(told >= left_out, "the kernel left out {left_out:?} runs, the tool told {told:?}");
                let missed = answer.missed()?;
                ensure!(tier == Tier::Kprobe || missed <= LEFT_OUT, "{missed} runs of programs were missed");
                answer.nothing_lost_by_us()
            });
        }
    }
}

type Act = fn(&Netns, SocketAddr) -> Result<Seen>;

fn acts(tier: Tier) -> Vec<(&'static str, Act)> {
    let mut acts: Vec<(&'static str, Act)> = vec![
        ("close_wait", close_wait),
        ("linger_reset", linger_reset),
        ("unread_reset", unread_reset),
        ("life", life),
    ];
    // The tracepoint tier sees no close() that waits.
    if tier.sees_search() {
        acts.push(("lingering", lingering));
    }
    acts
}

fn seen(netns: &Netns, held: Vec<Socket>) -> Result<Seen> {
    let opens = netns.snmp("ActiveOpens")? + netns.snmp("PassiveOpens")?;
    Ok(Seen { netns: netns.inode, _kept: vec![netns.keep()?], _held: held, opens, ..Seen::default() })
}

/// Both ends of a connection.
fn pair(listener: &Socket, remote: SocketAddr) -> Result<(Socket, Socket)> {
    let client = Socket::tcp(remote.ip())?;
    let errno = client.connect(remote);
    ensure!(errno == 0, "errno {errno}");
    Ok((client, listener.accept()?.0))
}

/// The server closes, the client does not.
fn close_wait(netns: &Netns, remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::listener(remote, 64)?;
    let mut held = Vec::new();
    for _ in 0..COUNT {
        let (client, server) = pair(&listener, remote)?;
        // Otherwise all FINs are acknowledged at once, later, maybe by an interrupt within a program on this CPU: the
        // kernel then leaves programs out, and says so.
        client.set(libc::IPPROTO_TCP, libc::TCP_QUICKACK, &1_i32)?;
        drop(server);
        ensure!(client.receive(&mut [0])? == 0, "the server sent something");
        held.push(client);
    }
    let waiting = in_state(remote.ip(), CLOSE_WAIT)?;
    ensure!(waiting == COUNT, "the kernel has {waiting} in CLOSE_WAIT");
    let opened = vec![("close_wait_now", COUNT), ("opened", COUNT), ("closed", 0)];
    let accepted = vec![("opened", COUNT), ("linger_resets", 0)];
    Ok(Seen { opened, accepted, ..seen(netns, held)? })
}

fn linger_reset(netns: &Netns, remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::listener(remote, 64)?;
    for _ in 0..COUNT {
        let (client, server) = pair(&listener, remote)?;
        client.set(libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        drop(client);
        ensure!(server.receive(&mut [0]).is_err(), "no reset came");
    }
    let resets = netns.netstat("TCPAbortOnData")?;
    ensure!(resets == COUNT, "the kernel counted {resets} aborts");
    let opened = vec![("linger_resets", resets), ("closed", COUNT), ("peer_resets", 0)];
    let accepted = vec![("peer_resets", COUNT), ("closed", COUNT), ("linger_resets", 0)];
    Ok(Seen { opened, accepted, ..seen(netns, Vec::new())? })
}

fn unread_reset(netns: &Netns, remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::listener(remote, 64)?;
    for _ in 0..COUNT {
        let (client, server) = pair(&listener, remote)?;
        server.send(UNREAD)?;
        sleep(Duration::from_millis(20));
        drop(client);
        ensure!(server.receive(&mut [0]).is_err(), "no reset came");
    }
    let resets = netns.netstat("TCPAbortOnClose")?;
    ensure!(resets == COUNT, "the kernel counted {resets} aborts");
    let opened = vec![("unread_resets", resets), ("linger_resets", 0), ("bytes_received", COUNT * UNREAD.len() as u64)];
    Ok(Seen { opened, ..seen(netns, Vec::new())? })
}

/// One connection, timed here: from before connect() to after close(), and from after connect() to before close().
fn life(netns: &Netns, remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::listener(remote, 64)?;
    let outer = Instant::now();
    let (client, server) = pair(&listener, remote)?;
    let inner = Instant::now();
    sleep(Duration::from_millis(300));
    let least = inner.elapsed();
    drop(client);
    let most = outer.elapsed();
    ensure!(server.receive(&mut [0])? == 0, "the client sent something");
    drop(server);
    sleep(Duration::from_millis(50));
    let opened = vec![("closed_first", 1), ("peer_closed_first", 0), ("closed", 1)];
    let accepted = vec![("closed_first", 0), ("peer_closed_first", 1), ("closed", 1)];
    let between = Some(("life_mean_ns", least.as_nanos() as u64, most.as_nanos() as u64));
    Ok(Seen { opened, accepted, between, ..seen(netns, Vec::new())? })
}

/// close() with an SO_LINGER of 1 s, towards a peer that does not read.
fn lingering(netns: &Netns, remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::listener(remote, 64)?;
    let (client, server) = pair(&listener, remote)?;
    client.set(libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 1 })?;
    let client = client.nonblocking()?;
    while client.send(&[0; 16 << 10]).is_ok() {}
    let begun = Instant::now();
    drop(client);
    let took = begun.elapsed();
    ensure!(took > Duration::from_millis(200), "close() took {took:?}");
    let opened = vec![("lingering_closes", 1)];
    let most = took.as_nanos() as u64;
    let between = Some(("lingering_max_ns", most * 9 / 10, most));
    Ok(Seen { opened, between, ..seen(netns, vec![server])? })
}

/// Sockets in a state, by /proc/net/tcp or tcp6 of this thread's namespace.
fn in_state(family: IpAddr, state: &str) -> Result<u64> {
    let file = if family.is_ipv4() { "tcp" } else { "tcp6" };
    let table = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
    Ok(table.lines().filter(|line| line.split_whitespace().nth(3) == Some(state)).count() as u64)
}

/// Each run that the kernel left out hides one change of one connection, so each count may be off by one for it, and by no
/// more; where none was left out all of them are exact.
fn compare(answer: &Answer, seen: &Seen, tier: Tier, missed: u64) -> Result<()> {
    let opened = row(answer, seen.netns, "opened")?;
    ensure!(opened["pid"] == std::process::id() && opened["comm"] == "caller", "another process: {opened}");
    fields(opened, &seen.opened, missed)?;
    if let Some((field, least, most)) = seen.between {
        let value = opened[field].as_u64().with_context(|| format!("no {field}: {opened}"))?;
        ensure!((least..=most).contains(&value), "{field}: {value} is not in {least}..={most}");
    }
    if !seen.accepted.is_empty() {
        let accepted = row(answer, seen.netns, "accepted")?;
        // Without accept() the owner is the process that closes; after a reset by the peer it is unknown.
        if tier.sees_search() {
            ensure!(
                accepted["pid"] == std::process::id() && accepted["comm"] == "caller",
                "another process: {accepted}"
            );
            fields(accepted, &seen.accepted, missed)?;
        }
    }
    let events = answer.of("state").filter(|line| line["netns"] == seen.netns && line["to"] == "established").count();
    let off = (events as u64).abs_diff(seen.opens);
    ensure!(off <= missed, "the kernel counted {} opens, the tool reported {events}; {missed} missed", seen.opens);
    Ok(())
}

/// The last row of one end, with or without an owner: rows without one come before accept().
fn row<'a>(answer: &'a Answer, netns: u64, side: &str) -> Result<&'a Value> {
    let rows = answer.of("states").filter(|line| line["netns"] == netns && line["side"] == side);
    let rows: Vec<_> = rows.filter(|line| line["port"] == PORT).collect();
    let owned = rows.iter().rev().find(|line| !line["pid"].is_null());
    owned.or(rows.last()).copied().with_context(|| format!("no row of {side}"))
}

fn fields(row: &Value, wanted: &[(&'static str, u64)], missed: u64) -> Result<()> {
    // Each of these connections accounts for at most this many bytes.
    let worth = |field: &str| if field.starts_with("bytes") { UNREAD.len() as u64 } else { 1 };
    for (field, value) in wanted {
        let got = row[field].as_u64().with_context(|| format!("no {field}: {row}"))?;
        let slack = missed * worth(field);
        ensure!(got.abs_diff(*value) <= slack, "{field}: wanted {value}, with {missed} runs missed: {row}");
    }
    Ok(())
}
