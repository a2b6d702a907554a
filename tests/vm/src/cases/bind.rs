// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bind`: every call as it came out here, its totals, and the marked ports as connect() itself finds them.

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    harness::{Report, not_run},
    netns::{self, Netns},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

const IP_BIND_ADDRESS_NO_PORT: i32 = 24;

pub fn run(report: &mut Report, tier: Tier) {
    report.test(&format!("bind/{tier}/calls"), || calls(tier));
    report.test(&format!("bind/{tier}/marks"), || marks(tier));
}

fn watch(tier: Tier) -> Result<Tool> {
    let mut command = Command::new(tool::path());
    command.args(["bind", "--events", "--top", "100", "--tier", &tier.to_string()]).args(tool::UNBOUNDED);
    Tool::spawn_in(command, None)
}

/// One call, by its own errno and getsockname().
struct Seen {
    asked: SocketAddr,
    port: Option<u16>,
    errno: Option<i32>,
    shared: bool,
    call_ns: u64,
}

/// Binds, and keeps the socket.
fn bind(asked: SocketAddr, shared: bool, seen: &mut Vec<Seen>) -> Result<Socket> {
    let socket = Socket::resetting(asked.ip())?;
    if shared {
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
    }
    let begin = Instant::now();
    let errno = socket.try_bind(asked);
    let call_ns = begin.elapsed().as_nanos() as u64;
    let port = if errno == 0 { Some(socket.local()?.port()) } else { None };
    seen.push(Seen { asked, port, errno: (errno != 0).then_some(errno), shared, call_ns });
    Ok(socket)
}

fn calls(tier: Tier) -> Result<()> {
    let tool = watch(tier)?;
    let (inode, seen, connected) = netns::within("caller", act)?;
    let answer = tool.stop()?;
    answer.nothing_lost()?;
    let events: Vec<_> = answer.of("bind").filter(|line| line["netns"] == inode).collect();
    ensure!(events.len() == seen.len(), "{} calls, {} events: {events:?}", seen.len(), events.len());
    for (event, seen) in events.into_iter().zip(&seen) {
        same(event, seen).with_context(|| event.to_string())?;
    }
    totals(&answer, inode, &seen, connected)
}

/// What is done, and how many sockets that were bound to port 0 connected.
fn act(netns: &Netns) -> Result<(u64, Vec<Seen>, usize)> {
    netns.set_range(41000, 41009)?;
    let mut seen = Vec::new();
    let mut held = Vec::new();
    let remote = SocketAddr::new(LOCALHOST, 2001);
    let listener = bind(remote, true, &mut seen)?;
    listener.listen(16)?;
    const CONNECTED: usize = 3;
    for _ in 0..CONNECTED {
        let socket = bind(SocketAddr::new(LOCALHOST, 0), false, &mut seen)?;
        let errno = socket.connect(remote);
        ensure!(errno == 0, "errno {errno}");
        held.push(socket);
    }
    for (ip, port) in [(LOCALHOST6, 0), (LOCALHOST6, 3001), (LOCALHOST, 3001), (LOCALHOST, 3001)] {
        held.push(bind(SocketAddr::new(ip, port), false, &mut seen)?);
    }
    // Until no port of the range is left.
    while seen.iter().filter(|call| call.asked == SocketAddr::new(LOCALHOST, 0)).all(|call| call.errno.is_none()) {
        held.push(bind(SocketAddr::new(LOCALHOST, 0), false, &mut seen)?);
    }
    // No search, so no event.
    let late = Socket::resetting(LOCALHOST)?;
    late.set(libc::IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &1_i32)?;
    late.bind(SocketAddr::new(LOCALHOST, 0))?;
    Ok((netns.inode, seen, CONNECTED))
}

fn same(event: &Value, seen: &Seen) -> Result<()> {
    let asked = (seen.asked.port() != 0).then_some(seen.asked.port());
    ensure!(event["port_asked"] == Value::from(asked), "asked for {asked:?}");
    ensure!(event["port"] == Value::from(seen.port), "got {:?}", seen.port);
    ensure!(event["errno"] == Value::from(seen.errno), "errno {:?}", seen.errno);
    ensure!(event["reuse_addr"] == seen.shared && event["reuse_port"] == false, "shared {}", seen.shared);
    let family = if seen.asked.is_ipv4() { "ipv4" } else { "ipv6" };
    ensure!(event["family"] == family, "family {family}");
    ensure!(event["pid"] == std::process::id() && event["comm"] == "caller", "another process");
    ensure!(event["range_low"] == 41000 && event["range_high"] == 41009, "another range");
    let took_ns = event["took_ns"].as_u64().context("no time")?;
    ensure!(took_ns > 0 && took_ns <= seen.call_ns, "took {took_ns} of {}", seen.call_ns);
    // This program is compiled without frame pointers, but the first frame is always there.
    ensure!(event["call_site"].as_str().is_some_and(|site| site.contains("+0x")), "no call site");
    let address: IpAddr = event["saddr"].as_str().context("no address")?.parse()?;
    // Where the end of the system call is looked at, a socket that failed has no address any more.
    ensure!(address == seen.asked.ip() || (seen.errno.is_some() && address.is_unspecified()), "address");
    Ok(())
}

fn totals(answer: &Answer, inode: u64, seen: &[Seen], connected: usize) -> Result<()> {
    let rows = answer.of("bind_process").filter(|line| line["netns"] == inode);
    let total = rows.last().context("no totals")?;
    let count = |any: bool, failed: bool| {
        seen.iter().filter(|call| (call.asked.port() == 0) == any && (!failed || call.errno.is_some())).count()
    };
    let wanted = [
        ("any_port_binds", count(true, false)),
        ("any_port_in_use", count(true, true)),
        ("any_port_connected", connected),
        ("own_port_binds", count(false, false)),
        ("own_port_in_use", count(false, true)),
        ("own_port_connected", 0),
        ("own_port_in_range", 0),
    ];
    for (field, wanted) in wanted {
        ensure!(total[field] == wanted, "{field}: wanted {wanted}: {total}");
    }
    ensure!(count(true, true) == 1 && count(false, true) == 1, "the kernel refused others");
    Ok(())
}

/// What holds ports of the range, and which of them connect() to somewhere else skips.
struct Held {
    skipped: usize,
    /// Ports of these that connections share and that a closed socket had bound.
    left: usize,
    bound: usize,
    listening: usize,
}

const RANGE: (u16, u16) = (41000, 41039);

fn marks(tier: Tier) -> Result<()> {
    if !Tier::available().contains(&Tier::Fentry) {
        return Err(not_run("programs of the iterator's type may not be loaded here"));
    }
    let tool = watch(tier)?;
    let (inode, answer, held) = netns::within("caller", move |netns| {
        // Kept until the answer is there: it says what is at the end.
        let (held, _sockets) = hold(netns)?;
        Ok((netns.inode, tool.stop()?, held))
    })?;
    let rows = answer.of("port_marks").filter(|line| line["netns"] == inode);
    let marks = rows.last().context("no marks of the namespace")?;
    let poisoned = held.skipped - held.bound - held.listening;
    ensure!(poisoned == 0 || poisoned == held.left, "connect() skips {poisoned} of {}", held.left);
    let wanted = [
        ("skipped", held.skipped),
        ("poisoned", poisoned),
        ("bound", held.bound),
        ("listening", held.listening),
        ("time_wait", 0),
        ("outside_range", 2),
    ];
    for (field, wanted) in wanted {
        ensure!(marks[field] == wanted, "{field}: wanted {wanted}: {marks}");
    }
    ensure!(marks["holder_pid"] == std::process::id() && marks["holder_ports"] == held.bound, "holder: {marks}");
    Ok(())
}

fn hold(netns: &Netns) -> Result<(Held, Vec<Socket>)> {
    let (shared, elsewhere) = (SocketAddr::new(LOCALHOST, 2001), SocketAddr::new(LOCALHOST, 2002));
    let mut sockets = vec![Socket::listener(shared, 64)?, Socket::listener(elsewhere, 64)?];
    // A listener in the range, on a port that no other socket may get.
    let listening = SocketAddr::new(LOCALHOST, RANGE.1);
    sockets.push(Socket::listener(listening, 1)?);
    netns.set_range(RANGE.0, RANGE.1)?;
    let mut ports = Vec::new();
    for _ in 0..12 {
        let socket = Socket::resetting(LOCALHOST)?;
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
        let errno = socket.connect(shared);
        ensure!(errno == 0, "errno {errno}");
        ports.push(socket.local()?.port());
        sockets.push(socket);
    }
    const LEFT: usize = 8;
    for port in &ports[..LEFT] {
        let passer_by = Socket::tcp(LOCALHOST)?;
        passer_by.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
        passer_by.bind(SocketAddr::new(LOCALHOST, *port))?;
    }
    const BOUND: usize = 5;
    for _ in 0..BOUND {
        let socket = Socket::resetting(LOCALHOST)?;
        socket.bind(SocketAddr::new(LOCALHOST, 0))?;
        let errno = socket.connect(shared);
        ensure!(errno == 0, "errno {errno}");
        sockets.push(socket);
    }
    let mut skipped = 0;
    for port in RANGE.0..=RANGE.1 {
        netns.set_range(port, port)?;
        let errno = Socket::resetting(LOCALHOST)?.connect(elsewhere);
        ensure!(errno == 0 || errno == libc::EADDRNOTAVAIL, "errno {errno}");
        skipped += usize::from(errno != 0);
    }
    netns.set_range(RANGE.0, RANGE.1)?;
    Ok((Held { skipped, left: LEFT, bound: BOUND, listening: 1 }, sockets))
}
