// SPDX-License-Identifier: MIT OR Apache-2.0
//! Socket options that change how a connect goes.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};

use super::theme;
use crate::{
    harness::{Report, not_run},
    netns::Netns,
    seen::{Attempt, Seen},
    socket::{IP_LOCAL_PORT_RANGE, LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
};

pub fn run(report: &mut Report, tier: Tier) {
    theme::run(report, "options", tier, &[], |netns, acts| {
        netns.set("ipv4/tcp_fastopen", "3")?;
        for (family, ip) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
            let remote = acts.remote(ip);
            acts.act(&format!("fastopen_{family}"), fastopen(remote));
            let remote = acts.remote(ip);
            acts.one(&format!("local_port_range_{family}"), local_port_range(remote, acts.tier));
        }
        let remote = acts.remote(LOCALHOST);
        acts.one("mptcp", mptcp(netns, remote, acts.tier));
        Ok(())
    });
}

/// The first connect asks for a cookie, the second one has it: its SYN waits for the first data.
fn fastopen(remote: SocketAddr) -> Result<Vec<Seen>> {
    let listener = Socket::listener(remote, 16)?;
    listener.set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &16_i32)?;
    let mut seen = Vec::new();
    for _ in ["without a cookie", "with one"] {
        let socket = Socket::tcp(remote.ip())?;
        socket.set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, &1_i32)?;
        let (attempt, errno) = Attempt::begin(&socket, remote);
        ensure!(errno == 0, "errno {errno}");
        socket.send(b"data")?;
        ensure!(socket.connected(Duration::from_secs(20))? == 0);
        let _ = listener.accept()?;
        seen.push(attempt.end("established", None));
    }
    Ok(seen)
}

fn local_port_range(remote: SocketAddr, tier: Tier) -> Result<Seen> {
    let _listener = Socket::listener(remote, 16)?;
    let socket = Socket::resetting(remote.ip())?;
    let range = 45010_u32 << 16 | 45000;
    if socket.set(libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range).is_err() {
        return Err(not_run("this kernel has no IP_LOCAL_PORT_RANGE"));
    }
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == 0, "errno {errno}");
    let port = socket.local()?.port();
    ensure!((45000..=45010).contains(&port), "port {port}");
    let seen = attempt.end("established", None);
    if !tier.sees_search() {
        return Ok(seen);
    }
    Ok(seen.with("source_port", "local_range").with("range_low", 45000).with("range_high", 45010))
}

/// One subflow, and no line for the MPTCP socket above it.
fn mptcp(netns: &Netns, remote: SocketAddr, tier: Tier) -> Result<Seen> {
    if !netns.has("mptcp/enabled") {
        return Err(not_run("this kernel has no MPTCP"));
    }
    // Off by default before 5.12.
    netns.set("mptcp/enabled", "1")?;
    let listener = Socket::mptcp()?;
    listener.bind(remote)?;
    listener.listen(16)?;
    let socket = Socket::mptcp()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == 0, "errno {errno}");
    let seen = attempt.end("established", None);
    Ok(if tier.sees_search() { seen.with("mptcp", true) } else { seen })
}
