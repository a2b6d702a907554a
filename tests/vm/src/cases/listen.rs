// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listeners: drops by cause, cookies, queues and accepts, against the kernel's own counters and /proc/net/tcp.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
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
    tool::{self, Answer, Tool},
};

const PORT: u16 = 2201;

/// On a busy machine loopback delivers a little later; nothing is sent again so soon.
const SETTLED: Duration = Duration::from_millis(300);

/// A listener's address, and where its clients connect to.
const WAYS: [(&str, IpAddr, IpAddr); 3] = [
    ("ipv4", LOCALHOST, LOCALHOST),
    ("ipv6", LOCALHOST6, LOCALHOST6),
    ("ipv4_to_ipv6", IpAddr::V6(Ipv6Addr::UNSPECIFIED), LOCALHOST),
];

/// What the kernel's own counters said of one namespace, and what the listener's row must say.
struct Seen {
    netns: u64,
    _kept: fs::File,
    drops: u64,
    overflows: u64,
    full_drops: u64,
    cookies: u64,
    wanted: Vec<(&'static str, Value)>,
}

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("listen/{tier}");
    if !tier.sees_search() || !report.wants(&theme) {
        return;
    }
    let told = (|| {
        let tool = start(tier, &[])?;
        let mut seen = Vec::new();
        for (way, listener, client) in WAYS {
            for (name, act) in acts() {
                let at = At { listener: SocketAddr::new(listener, PORT), client: SocketAddr::new(client, PORT) };
                seen.push((format!("{name}_{way}"), netns::within("caller", |netns| act(netns, at, tier))));
            }
        }
        seen.push(("reuseport".into(), netns::within("caller", group)));
        seen.push(("devices".into(), netns::within("caller", devices)));
        Ok((seen, tool.stop()?))
    })();
    report.test(&format!("{theme}/lookups"), || lookups(tier));
    match told {
        Err(error) => report.test(&theme, || Err(error)),
        Ok((seen, answer)) => {
            for (name, seen) in seen {
                report.test(&format!("{theme}/{name}"), || compare(&answer, &seen?));
            }
            report.test(&format!("{theme}/nothing_lost"), || answer.nothing_lost());
        }
    }
}

fn start(tier: Tier, arguments: &[&str]) -> Result<Tool> {
    let mut command = Command::new(tool::path());
    command.args(["listen", "--tier", &tier.to_string(), "--top", "1000", "--interval", "500ms"]).args(arguments);
    // What lasts for moments only, such as a queue that is full, is seen by looks at sockets alone.
    command.args(tool::UNBOUNDED);
    Tool::spawn_in(command, None)
}

/// Each of twenty SYNs has its listener looked for.
fn lookups(tier: Tier) -> Result<()> {
    let tool = start(tier, &["--lookup-cost"])?;
    let found = netns::within("caller", |netns| {
        let mut kept = Vec::new();
        for (way, port) in WAYS.iter().zip(PORT..) {
            let _listener = Socket::listener(SocketAddr::new(way.1, port), 64)?;
            let clients = many(20, begin, SocketAddr::new(way.2, port))?;
            for client in &clients {
                ensure!(client.connected(Duration::from_secs(5))? == 0);
            }
            kept.push(port);
        }
        Ok((netns.inode, kept))
    });
    let answer = tool.stop()?;
    let (netns, ports) = found?;
    for port in ports {
        let rows = answer.of("listener").filter(|row| row["netns"] == netns && row["sport"] == port);
        let row = rows.last().context("no row for the listener")?;
        let (lookups, mean_ns) = (row["lookups"].as_u64(), row["lookup_mean_ns"].as_u64());
        ensure!(lookups.is_some_and(|lookups| lookups >= 20), "of 20 SYNs: {row}");
        ensure!(mean_ns.is_some_and(|mean_ns| mean_ns > 0), "no time: {row}");
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct At {
    listener: SocketAddr,
    client: SocketAddr,
}

type Act = fn(&Netns, At, Tier) -> Result<Seen>;

fn acts() -> [(&'static str, Act); 7] {
    [
        ("accept_queue", accept_queue),
        ("accept_queue_at_ack", accept_queue_at_ack),
        ("syn_queue", syn_queue),
        ("syn_backlog", syn_backlog),
        ("cookies", cookies),
        ("accepts", accepts),
        ("slow_handshake", slow_handshake),
    ]
}

fn seen(netns: &Netns, wanted: Vec<(&'static str, Value)>) -> Result<Seen> {
    Ok(Seen {
        netns: netns.inode,
        _kept: netns.keep()?,
        drops: netns.netstat("ListenDrops")?,
        overflows: netns.netstat("ListenOverflows")?,
        full_drops: netns.netstat("TCPReqQFullDrop")?,
        cookies: netns.netstat("SyncookiesSent")?,
        wanted,
    })
}

/// Begins a connect and does not wait for it.
fn begin(remote: SocketAddr) -> Result<Socket> {
    let socket = Socket::resetting(remote.ip())?.nonblocking()?;
    let errno = socket.connect(remote);
    ensure!(errno == 0 || errno == libc::EINPROGRESS, "errno {errno}");
    Ok(socket)
}

/// One whose SYN is answered, and who hears nothing of it.
fn begin_deaf(remote: SocketAddr) -> Result<Socket> {
    let socket = Socket::resetting(remote.ip())?.nonblocking()?;
    socket.deafen()?;
    let errno = socket.connect(remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    Ok(socket)
}

fn many(count: usize, begin: impl Fn(SocketAddr) -> Result<Socket>, remote: SocketAddr) -> Result<Vec<Socket>> {
    (0..count).map(|_| begin(remote)).collect()
}

/// Waits until each client knows that it is connected and the listener's queue holds as many: a client
/// knows of it before the listener does.
fn queued(clients: &[Socket], in_queue: u64) -> Result<()> {
    for client in clients {
        ensure!(client.connected(Duration::from_secs(5))? == 0);
    }
    let begin = Instant::now();
    while waiting()? != in_queue {
        ensure!(begin.elapsed() < Duration::from_secs(5), "{} wait for accept(), not {in_queue}", waiting()?);
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The queue takes one more than its limit; what comes then is dropped.
fn accept_queue(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    let _listener = Socket::listener(at.listener, 4)?;
    let waiting = many(5, begin, at.client)?;
    queued(&waiting, 5)?;
    let dropped = many(6, begin, at.client)?;
    drop(dropped);
    sleep(SETTLED);
    let seen = seen(
        netns,
        vec![
            ("syns", 11.into()),
            ("dropped_accept_queue", 6.into()),
            ("queued", 5.into()),
            ("accept_queue_high", 5.into()),
            ("backlog_requested", 4.into()),
        ],
    )?;
    ensure!(seen.overflows == 6, "the kernel counted {} overflows", seen.overflows);
    Ok(seen)
}

/// The handshake began while there was room, and ends when there is none any more.
fn accept_queue_at_ack(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    let _listener = Socket::listener(at.listener, 2)?;
    let late = begin_deaf(at.client)?;
    let waiting = many(3, begin, at.client)?;
    queued(&waiting, 3)?;
    late.hear_again()?;
    // Its SYN, or the answer to it, is sent again after a second.
    ensure!(late.connected(Duration::from_secs(10))? == 0);
    sleep(Duration::from_millis(100));
    drop(late);
    let seen = seen(netns, Vec::new())?;
    ensure!(seen.overflows >= 1, "the kernel counted no overflow");
    let overflows = seen.overflows;
    Ok(Seen { wanted: vec![("dropped_accept_queue_at_ack", overflows.into()), ("queued", 3.into())], ..seen })
}

fn syn_queue(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    netns.set("ipv4/tcp_syncookies", "0")?;
    netns.set("ipv4/tcp_max_syn_backlog", "1024")?;
    let _listener = Socket::listener(at.listener, 8)?;
    let deaf = many(14, begin_deaf, at.client)?;
    sleep(SETTLED);
    let seen = seen(netns, Vec::new())?;
    drop(deaf);
    ensure!(seen.full_drops >= 5, "the kernel dropped {}", seen.full_drops);
    let (dropped, taken) = (seen.full_drops, 14 - seen.full_drops);
    Ok(Seen { wanted: vec![("dropped_syn_queue", dropped.into()), ("syn_queue_high", taken.into())], ..seen })
}

/// 12 of 16 entries are for all peers.
fn syn_backlog(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    netns.set("ipv4/tcp_syncookies", "0")?;
    netns.set("ipv4/tcp_max_syn_backlog", "16")?;
    let _listener = Socket::listener(at.listener, 512)?;
    let deaf = many(18, begin_deaf, at.client)?;
    sleep(SETTLED);
    let seen = seen(netns, Vec::new())?;
    drop(deaf);
    ensure!(seen.drops >= 4 && seen.full_drops == 0, "the kernel dropped {}, {}", seen.drops, seen.full_drops);
    let dropped = seen.drops;
    Ok(Seen { wanted: vec![("dropped_syn_backlog", dropped.into())], ..seen })
}

fn cookies(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    netns.set("ipv4/tcp_syncookies", "1")?;
    let _listener = Socket::listener(at.listener, 8)?;
    let deaf = many(9, begin_deaf, at.client)?;
    let clients = many(5, begin, at.client)?;
    queued(&clients, 5)?;
    let seen = seen(netns, vec![("queued", 5.into())])?;
    drop(deaf);
    ensure!(seen.cookies >= 4, "the kernel sent {} cookies", seen.cookies);
    Ok(seen)
}

fn accepts(netns: &Netns, at: At, tier: Tier) -> Result<Seen> {
    let listener = Socket::listener(at.listener, 64)?;
    let clients = many(10, begin, at.client)?;
    queued(&clients, 10)?;
    let servers: Vec<_> = (0..7).map(|_| listener.accept()).collect::<Result<_>>()?;
    let left = waiting()?;
    ensure!(left == 3, "the kernel says that {left} wait");
    let accepted = if tier == Tier::Fentry { 7.into() } else { Value::Null };
    // Until it was looked at.
    sleep(Duration::from_millis(2500));
    drop((clients, servers));
    seen(
        netns,
        vec![
            ("queued", 10.into()),
            ("accepted", accepted),
            ("dropped_accept_queue", 0.into()),
            ("owner_pid", std::process::id().into()),
            ("owner_comm", "caller".into()),
            ("backlog_requested", 64.into()),
        ],
    )
}

/// Connections that wait for accept(), by /proc/net/tcp and tcp6: st 0A, and the second half of tx_queue:rx_queue.
fn waiting() -> Result<u64> {
    for file in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            if fields[1].ends_with(&format!(":{PORT:04X}")) && fields[3] == "0A" {
                let (_, waiting) = fields[4].split_once(':').context("no queues")?;
                return Ok(u64::from_str_radix(waiting, 16)?);
            }
        }
    }
    anyhow::bail!("no listener in /proc/net/tcp")
}

/// Its first SYN is dropped; when it is sent again there is room.
fn slow_handshake(netns: &Netns, at: At, _: Tier) -> Result<Seen> {
    let listener = Socket::listener(at.listener, 1)?;
    let first = many(2, begin, at.client)?;
    queued(&first, 2)?;
    let slow = begin(at.client)?;
    let _accepted = listener.accept()?;
    ensure!(slow.connected(Duration::from_secs(10))? == 0);
    seen(netns, vec![("slow_handshakes", slow.retransmits()?.into())])
}

/// Three sockets on one port, and thirty connects.
fn group(netns: &Netns) -> Result<Seen> {
    let address = SocketAddr::new(LOCALHOST, PORT);
    let mut group = Vec::new();
    for _ in 0..3 {
        let socket = Socket::tcp(LOCALHOST)?;
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEPORT, &1_i32)?;
        socket.bind(address)?;
        socket.listen(64)?;
        group.push(socket);
    }
    let clients = many(30, begin, address)?;
    for client in &clients {
        ensure!(client.connected(Duration::from_secs(5))? == 0);
    }
    sleep(Duration::from_millis(2500));
    seen(netns, vec![("queued", 30.into()), ("group", 3.into())])
}

/// Four sockets on one port, each for one device, of which there is only the first.
fn devices(netns: &Netns) -> Result<Seen> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
    let mut sockets = Vec::new();
    for device in 1..=4_i32 {
        let socket = Socket::tcp(any.ip())?;
        socket.set(libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, &device)?;
        socket.bind(any)?;
        socket.listen(64)?;
        sockets.push(socket);
    }
    let clients = many(10, begin, SocketAddr::new(LOCALHOST, PORT))?;
    for client in &clients {
        ensure!(client.connected(Duration::from_secs(5))? == 0);
    }
    sleep(Duration::from_millis(2500));
    seen(netns, vec![("queued", 10.into()), ("devices_then", sockets.len().into())])
}

fn compare(answer: &Answer, seen: &Seen) -> Result<()> {
    let rows: Vec<_> = answer.of("listener").filter(|row| row["netns"] == seen.netns && row["sport"] == PORT).collect();
    let last = rows.last().context("no row for the listener")?;
    let sum = |fields: &[&str]| fields.iter().filter_map(|field| last[*field].as_u64()).sum::<u64>();
    let by_accept_queue = sum(&["dropped_accept_queue", "dropped_accept_queue_at_ack"]);
    let all = by_accept_queue + sum(&["dropped_syn_queue", "dropped_syn_backlog", "dropped_other"]);
    ensure!(by_accept_queue == seen.overflows, "ListenOverflows {}: {last}", seen.overflows);
    ensure!(all == seen.drops, "ListenDrops {}: {last}", seen.drops);
    ensure!(sum(&["dropped_syn_queue"]) == seen.full_drops, "TCPReqQFullDrop {}: {last}", seen.full_drops);
    ensure!(sum(&["cookies"]) == seen.cookies, "SyncookiesSent {}: {last}", seen.cookies);
    for (field, wanted) in &seen.wanted {
        match *field {
            "slow_handshakes" => {
                let slow = answer.of("slow_handshakes").filter(|row| row["netns"] == seen.netns);
                let slow = slow.last().context("no handshake is said to have waited")?;
                ensure!(slow["connects"] == 1 && slow["syn_retransmits"] == *wanted, "wanted {wanted}: {slow}");
                ensure!(slow["cause"] == "accept_queue" && slow["caller_comm"] == "caller", "{slow}");
            }
            "group" => {
                let is_it =
                    |row: &&Value| row["sockets"] == *wanted && row["lookup_chain"] == 1 && row["accept_queue"] == 30;
                ensure!(rows.iter().any(is_it), "no row says that {wanted} sockets share the port: {rows:?}");
            }
            "devices_then" => {
                let is_it = |row: &&Value| {
                    row["sockets"] == *wanted
                        && row["lookup_chain"] == *wanted
                        && row["accept_queue"] == 10
                        && row["busiest_socket_share"].is_null()
                };
                ensure!(rows.iter().any(is_it), "no row of {wanted} devices with all connects: {rows:?}");
            }
            field => ensure!(last[field] == *wanted, "{field}: wanted {wanted}: {last}"),
        }
    }
    Ok(())
}
