// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a connect can end, as the kernel alone decides.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::theme::{self, Acts};
use crate::{
    harness::Report,
    netns::Netns,
    seen::{self, Attempt, Seen},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
};

const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(report: &mut Report, tier: Tier) {
    theme::run(report, "outcomes", tier, &[], |netns, acts| {
        netns.set_range(40000, 40999)?;
        for (family, ip) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
            for (name, act) in ACTS {
                let remote = acts.remote(ip);
                acts.one(&format!("{name}_{family}"), act(remote).map(|seen| with_search(seen, acts.tier)));
            }
            let remote = acts.remote(ip);
            acts.one(&format!("bound_{family}"), bound(remote));
            let remote = acts.remote(ip);
            acts.act(&format!("bound_in_use_{family}"), bound_in_use(remote));
        }
        let remote = acts.remote(LOCALHOST);
        acts.one("v4_mapped", mapped(remote.port()));
        for (cpu, name) in ["called_on_cpu_0", "called_on_cpu_1"].into_iter().enumerate() {
            let remote = acts.remote(LOCALHOST);
            acts.one(name, on_cpu(cpu, || established_blocking(remote)));
        }
        let remote = acts.remote(Ipv4Addr::new(198, 51, 100, 12).into());
        acts.one("unreachable_on_cpu_1", on_cpu(1, || failing(remote, "unreachable", libc::ENETUNREACH)));
        timed_out(acts)?;
        unreachable(netns, acts);
        no_port(netns, acts);
        Ok(())
    });
}

type Act = fn(SocketAddr) -> Result<Seen>;
const ACTS: [(&str, Act); 5] = [
    ("established_blocking", established_blocking),
    ("established_nonblocking", established_nonblocking),
    ("refused_blocking", refused_blocking),
    ("refused_nonblocking", refused_nonblocking),
    ("abandoned", abandoned),
];

fn with_search(seen: Seen, tier: Tier) -> Seen {
    if !tier.sees_search() {
        return seen;
    }
    seen.with("source_port", "ephemeral").with("range_low", 40000).with("range_high", 40999)
}

fn established_blocking(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::listener(remote, 16)?;
    Ok(seen::established(remote)?.with("syn_retransmits", 0))
}

fn established_nonblocking(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::listener(remote, 16)?;
    let socket = Socket::resetting(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    ensure!(socket.connected(PATIENCE)? == 0);
    Ok(attempt.end("established", None))
}

fn refused_blocking(remote: SocketAddr) -> Result<Seen> {
    let socket = Socket::tcp(remote.ip())?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    Ok(attempt.end("refused", Some(errno)))
}

fn refused_nonblocking(remote: SocketAddr) -> Result<Seen> {
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    let errno = socket.connected(PATIENCE)?;
    Ok(attempt.end("refused", Some(errno)))
}

fn abandoned(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    std::thread::sleep(Duration::from_millis(30));
    drop(socket);
    Ok(attempt.end("abandoned", None))
}

fn bound(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::listener(remote, 16)?;
    let socket = Socket::resetting(remote.ip())?;
    socket.bind(SocketAddr::new(remote.ip(), 0))?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == 0, "errno {errno}");
    Ok(attempt.end("established", None).with("source_port", "bound").with("ports_visited", Value::Null))
}

/// Two sockets bound to one address and port connect to one destination: the second four-tuple exists already.
fn bound_in_use(remote: SocketAddr) -> Result<Vec<Seen>> {
    let _listener = Socket::listener(remote, 16)?;
    let mut local = SocketAddr::new(remote.ip(), 0);
    let mut seen = Vec::new();
    let mut sockets = Vec::new();
    for outcome in ["established", "no_port"] {
        let socket = Socket::resetting(remote.ip())?;
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEPORT, &1_i32)?;
        socket.bind(local)?;
        local = socket.local()?;
        let (mut attempt, errno) = Attempt::begin(&socket, remote);
        attempt.remember_local(local);
        seen.push(attempt.end(outcome, (errno != 0).then_some(errno)).with("source_port", "bound"));
        sockets.push(socket);
    }
    // Both lines have the same four-tuple: only their outcomes tell them apart.
    for one in &mut seen {
        one.told_apart_by_outcome = true;
    }
    Ok(seen)
}

fn mapped(port: u16) -> Result<Seen> {
    let _listener = Socket::listener(SocketAddr::new(LOCALHOST, port), 16)?;
    let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), port);
    seen::established(remote)
}

/// What `act` sees while its thread may run on no CPU but this one.
fn on_cpu(cpu: usize, act: impl FnOnce() -> Result<Seen>) -> Result<Seen> {
    // SAFETY: zeros are an empty set.
    let (mut before, mut only) = unsafe { (std::mem::zeroed::<libc::cpu_set_t>(), std::mem::zeroed()) };
    // SAFETY: the set has room for this CPU, which is one of the guest's two.
    unsafe { libc::CPU_SET(cpu, &mut only) };
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: both sets are as long as is said; 0 is this thread.
    let pinned =
        unsafe { libc::sched_getaffinity(0, size, &mut before) == 0 && libc::sched_setaffinity(0, size, &only) == 0 };
    ensure!(pinned, "CPU {cpu}: {}", std::io::Error::last_os_error());
    let seen = act();
    // SAFETY: a system call with integers and with a set that outlives it.
    ensure!(unsafe { libc::sched_setaffinity(0, size, &before) } == 0, "the CPUs from before");
    Ok(seen?.with("cpu", cpu))
}

/// One after the other would take twice as long: the IPv6 socket waits while the IPv4 call blocks.
fn timed_out(acts: &mut Acts) -> Result<()> {
    let (remote, remote6) = (acts.remote(LOCALHOST), acts.remote(LOCALHOST6));
    let _deaf = (Socket::deaf_listener(remote)?, Socket::deaf_listener(remote6)?);
    let patient = |remote: SocketAddr| {
        let socket = Socket::tcp(remote.ip())?;
        socket.set(libc::IPPROTO_TCP, libc::TCP_SYNCNT, &1_i32)?;
        anyhow::Ok(socket)
    };
    let waiting = patient(remote6)?.nonblocking()?;
    let (attempt6, _) = Attempt::begin(&waiting, remote6);
    let socket = patient(remote)?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    let seen = attempt.end("timed_out", Some(errno));
    let errno = waiting.connected(PATIENCE)?;
    let seen6 = attempt6.end("timed_out", Some(errno));
    // The failed blocking call has wiped its socket; both were treated alike.
    let retransmits = waiting.retransmits()?;
    ensure!(retransmits > 0, "no SYN was sent again");
    acts.one("timed_out_ipv4", Ok(seen.with("syn_retransmits", retransmits)));
    acts.one("timed_out_ipv6", Ok(seen6.with("syn_retransmits", retransmits)));
    Ok(())
}

fn unreachable(netns: &Netns, acts: &mut Acts) {
    let nowhere: [(&str, IpAddr); 2] = [
        ("unreachable_ipv4", Ipv4Addr::new(198, 51, 100, 9).into()),
        ("unreachable_ipv6", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).into()),
    ];
    for (name, ip) in nowhere {
        let remote = acts.remote(ip);
        acts.one(name, failing(remote, "unreachable", libc::ENETUNREACH));
    }
    for (name, last, kind, outcome, errno) in [
        ("unreachable_host", 10, libc::RTN_UNREACHABLE, "unreachable", libc::EHOSTUNREACH),
        ("denied_by_route", 11, libc::RTN_PROHIBIT, "denied", libc::EACCES),
    ] {
        let ip = Ipv4Addr::new(198, 51, 100, last);
        let remote = acts.remote(ip.into());
        let refused = netns.refuse_route(ip, kind);
        acts.one(name, refused.and_then(|()| failing(remote, outcome, errno)));
    }
}

/// A connect that must fail at once with `wanted`.
pub fn failing(remote: SocketAddr, outcome: &'static str, wanted: i32) -> Result<Seen> {
    let socket = Socket::tcp(remote.ip())?;
    let (mut attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == wanted, "errno {errno}, wanted {wanted}");
    attempt.forget_local();
    Ok(attempt.end(outcome, Some(errno)))
}

/// Last, because it leaves the namespace with a range of two ports.
fn no_port(netns: &Netns, acts: &mut Acts) {
    for (name, ip) in [("no_port_ipv4", LOCALHOST), ("no_port_ipv6", LOCALHOST6)] {
        let remote = acts.remote(ip);
        acts.act(name, range_of_two(netns, remote));
    }
}

fn range_of_two(netns: &Netns, remote: SocketAddr) -> Result<Vec<Seen>> {
    netns.set_range(42000, 42001)?;
    let _listener = Socket::listener(remote, 16)?;
    let mut held = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let socket = Socket::resetting(remote.ip())?;
        let (attempt, errno) = Attempt::begin(&socket, remote);
        ensure!(errno == 0, "errno {errno}");
        seen.push(attempt.end("established", None));
        held.push(socket);
    }
    let mut none = failing(remote, "no_port", libc::EADDRNOTAVAIL)?;
    none.told_apart_by_outcome = true;
    seen.push(none);
    Ok(seen)
}
