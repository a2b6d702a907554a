// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes that what-if was asked about, made: what they gained, and what it had said. The first is that connections go
//! and others come.

use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::what_if::{HIGH, LOW, Target, asked, connected, line, number};
use crate::{
    harness::not_run,
    netns::Netns,
    socket::{IP_LOCAL_PORT_RANGE, LOCALHOST, Socket},
    tiers::Tier,
    witness::Witness,
};

const WIDER: (u16, u16) = (40_000, 42_999);
const STEP_WIDTH: u32 = 16;
const CONNECTS: u32 = 600;
/// Of a run of less than half a second what-if tells no rate.
const A_RATE_TAKES: Duration = Duration::from_millis(600);
/// Long enough for a TIME_WAIT to be reusable by every kernel's rule.
const REUSABLE: Duration = Duration::from_millis(2100);

/// Ports visited.
pub struct Change {
    was: f64,
    predicted: f64,
    is: f64,
}

impl Change {
    /// The gain within a tenth, of what it was where there is next to none.
    pub fn as_predicted(&self) -> Result<()> {
        let Self { was, predicted, is } = self;
        println!("{was:.2} ports visited before, {predicted:.2} predicted, {is:.2} measured");
        let (gain, hoped) = (was - is, was - predicted);
        ensure!((hoped - gain).abs() < gain.abs().max(*is) * 0.1, "a gain of {gain:.2}, predicted {hoped:.2}");
        Ok(())
    }
}

pub type Made = Vec<(&'static str, Result<Change>)>;

/// Each change, towards a destination beyond the cliff (51 % in order) or just below (49 % in order).
pub fn make(tier: Tier, netns: &Netns, targets: &mut [Target]) -> Result<Made> {
    let (below, beyond) = (targets[2].remote, targets[4].remote);
    let made = vec![
        ("settled", settled(tier)),
        ("range", range(tier, netns, beyond)),
        ("local_port_range", local_port_range(tier, beyond)),
        ("step_width", step_width(tier, netns, below)),
        ("tw_reuse", tw_reuse(tier, netns)),
    ];
    netns.set_range(LOW, HIGH)?;
    Ok(made)
}

fn some_connects(remote: SocketAddr) -> Result<()> {
    (0..CONNECTS).try_for_each(|_| connected(remote).map(drop))
}

/// What was, and what was said to come.
fn before(tier: Tier, arguments: &[&str], remote: SocketAddr) -> Result<(f64, f64)> {
    let answer = asked(tier, arguments, || {
        let begin = Instant::now();
        some_connects(remote)?;
        sleep(A_RATE_TAKES.saturating_sub(begin.elapsed()));
        Ok(())
    })?;
    let was = number(line(&answer, remote.port(), "")?, "ports_visited_measured")?;
    let changed = line(&answer, remote.port(), &arguments.join(" "))?;
    Ok((was, number(changed, "ports_visited_current")?))
}

fn measured(tier: Tier, remote: SocketAddr, connect: impl FnOnce() -> Result<()>) -> Result<f64> {
    let answer = asked(tier, &[], connect)?;
    number(line(&answer, remote.port(), "")?, "ports_visited_measured")
}

/// As many connections at a time, closed in no order.
fn settled(tier: Tier) -> Result<Change> {
    const LIVE: usize = 204;
    let remote = SocketAddr::new(LOCALHOST, 2998);
    let _listener = Socket::listener(remote, 65_535)?;
    let mut held = (0..LIVE).map(|_| connected(remote)).collect::<Result<Vec<_>>>()?;
    let mut state = 1_u64;
    let mut replace = |count: usize| {
        (0..count).try_for_each(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            drop(held.swap_remove((state >> 33) as usize % LIVE));
            held.push(connected(remote)?);
            anyhow::Ok(())
        })
    };
    replace(LIVE * 6)?;
    let answer = asked(tier, &[], || replace(2000))?;
    let line = line(&answer, remote.port(), "")?;
    let is = number(line, "ports_visited_measured")?;
    Ok(Change { was: 0.0, predicted: number(line, "ports_visited_steady_state")?, is })
}

fn range(tier: Tier, netns: &Netns, remote: SocketAddr) -> Result<Change> {
    let (was, predicted) = before(tier, &["--range", &format!("{}-{}", WIDER.0, WIDER.1)], remote)?;
    netns.set_range(WIDER.0, WIDER.1)?;
    let is = measured(tier, remote, || some_connects(remote));
    netns.set_range(LOW, HIGH)?;
    Ok(Change { was, predicted, is: is? })
}

/// Searched port by port since 6.8, by parity before: then nothing is gained, and nothing must be promised.
fn local_port_range(tier: Tier, remote: SocketAddr) -> Result<Change> {
    let connect = || -> Result<()> {
        let socket = Socket::resetting(LOCALHOST)?;
        let range = u32::from(HIGH) << 16 | u32::from(LOW);
        socket.set(libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range)?;
        let errno = socket.connect(remote);
        ensure!(errno == 0, "errno {errno}");
        Ok(())
    };
    if connect().is_err() {
        return Err(not_run("this kernel has no IP_LOCAL_PORT_RANGE"));
    }
    let (was, predicted) = before(tier, &["--local-port-range", &format!("{LOW}-{HIGH}")], remote)?;
    let is = measured(tier, remote, || (0..CONNECTS * 4).try_for_each(|_| connect()))?;
    Ok(Change { was, predicted, is })
}

/// What the tool cannot know of random steps the witness counts.
fn step_width(tier: Tier, netns: &Netns, remote: SocketAddr) -> Result<Change> {
    const NAME: &str = "ipv4/ip_local_port_step_width";
    if !netns.has(NAME) {
        return Err(not_run("this kernel has no ip_local_port_step_width"));
    }
    let witness = Witness::attach()?;
    let (was, predicted) = before(tier, &["--step-width", &STEP_WIDTH.to_string()], remote)?;
    netns.set(NAME, &STEP_WIDTH.to_string())?;
    let begin = witness.mine()?;
    let connected = (0..3).try_for_each(|_| some_connects(remote));
    netns.set(NAME, "0")?;
    connected?;
    let refused = witness.mine()?.refused - begin.refused;
    Ok(Change { was, predicted, is: 1.0 + refused as f64 / f64::from(CONNECTS * 3) })
}

/// The first half is in TIME_WAIT, and more of it.
fn tw_reuse(tier: Tier, netns: &Netns) -> Result<Change> {
    netns.set("ipv4/tcp_tw_reuse", "0")?;
    let remote = SocketAddr::new(LOCALHOST, 2999);
    let listener = Socket::listener(remote, 4096)?;
    for port in (LOW..=HIGH).step_by(2).chain([LOW + 1, LOW + 3]) {
        netns.set_range(port, port)?;
        let client = Socket::tcp(LOCALHOST)?;
        let errno = client.connect(remote);
        ensure!(errno == 0, "errno {errno} from port {port}");
        let (server, _) = listener.accept()?;
        drop(client);
        ensure!(server.receive(&mut [0])? == 0, "the client sent something");
    }
    netns.set_range(LOW, HIGH)?;
    sleep(REUSABLE);
    let (was, predicted) = before(tier, &["--tw-reuse"], remote)?;
    netns.set("ipv4/tcp_tw_reuse", "1")?;
    let is = measured(tier, remote, || some_connects(remote))?;
    Ok(Change { was, predicted, is })
}
