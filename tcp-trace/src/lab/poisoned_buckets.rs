// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `poisoned-buckets`: one program shares ports by connecting, another binds each of them and closes. From
//! then on every connect(), to any destination, skips these ports while those connections live.
//!
//! From 6.18 on the kernel removes the mark when the binder closes; on such kernels the binder stays.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::{io::Result, net::sockopt::set_socket_reuseaddr};

use super::{
    Stage, VICTIM,
    held_connections::{HeldConnections, connected},
    netns::PortRange,
    parity_cliff, say, sockets,
    tally::Tally,
    workload,
};

/// Thread name of the program that binds.
const CHECKER: &str = "port-checker";
/// Time between two binds while the incident is held.
const PERIOD: Duration = Duration::from_millis(50);
/// Number of connects of the victim before the binds, for comparison.
const BEFORE: u32 = 20;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let range = PortRange::read()?;
    let _listener = parity_cliff::listener(stage, range)?;
    let shared = stage.destination;
    let elsewhere = SocketAddr::new(shared.ip(), shared.port() + 1);
    let _other_listener = sockets::listener(elsewhere, u32::from(u16::MAX))?;
    let mut held =
        HeldConnections::of(format!("connections to {shared}"), move || connected(reusing(shared, false)?, shared))?;
    // All ports of the parity that is searched first.
    held.grow_to(range.ports().div_ceil(2), &stage.stop)?;
    say(&format!("{} of {} ports are in use towards {shared}, free towards {elsewhere}", held.held(), range.ports()));
    let tally = Tally::new();
    for _ in 0..BEFORE {
        connect_once(elsewhere, &tally);
    }
    say(&format!("before, towards {elsewhere}, {VICTIM} saw {}", tally.take()));

    let next = Arc::new(AtomicU32::new(0));
    let heals = heals(range, shared, elsewhere)?;
    let mut bound = HeldConnections::of("bound ports".to_owned(), {
        let next = next.clone();
        move || bind_next(range, shared, &next)
    })?;
    if heals {
        bound.grow_to(held.held(), &stage.stop)?;
        say(&format!(
            "{CHECKER} bound {} of them and stays: this kernel removes the mark when the binder closes",
            bound.held()
        ));
    } else {
        let mut marked = 0;
        while marked < held.held() && !stage.stop.is_over() {
            bind_next(range, shared, &next).context("could not bind with SO_REUSEADDR a port that is in use")?;
            marked += 1;
        }
        say(&format!("{CHECKER} bound {marked} of them and closed: connect() skips them from now on"));
    }

    stage.ready()?;
    let checker = keep_checking(stage, range, &next)?;
    let victim = workload::victim(stage, &tally, move |tally| connect_once(elsewhere, tally))?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = (victim.join(), checker.join());
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

fn reusing(like: SocketAddr, blocking: bool) -> Result<OwnedFd> {
    let socket = sockets::client(like, blocking)?;
    set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

/// Binds one port after the other, of the same parity as the connections.
fn bind_next(range: PortRange, like: SocketAddr, next: &AtomicU32) -> Result<OwnedFd> {
    let turn = next.fetch_add(1, Ordering::Relaxed) % range.ports().div_ceil(2);
    // Stays within the range, whose ends have sixteen bits.
    let port = range.low + u16::try_from(2 * turn).unwrap_or(0);
    let socket = reusing(like, true)?;
    rustix::net::bind(&socket, &SocketAddr::new(like.ip(), port))?;
    Ok(socket)
}

/// Whether connect() to another destination can use a port again after its binder has closed; tried on the first port.
fn heals(range: PortRange, shared: SocketAddr, elsewhere: SocketAddr) -> anyhow::Result<bool> {
    drop(bind_next(range, shared, &AtomicU32::new(0)).context("could not bind a port that is in use")?);
    PortRange { low: range.low, high: range.low }.write()?;
    let connected = rustix::net::connect(&sockets::client(elsewhere, true)?, &elsewhere);
    range.write()?;
    Ok(connected.is_ok())
}

fn keep_checking(
    stage: &Stage,
    range: PortRange,
    next: &Arc<AtomicU32>,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (stop, next, like) = (stage.stop.clone(), next.clone(), stage.destination);
    let check = move || {
        while !stop.is_over() {
            // A failure does not matter: the port is marked already, or will be in the next round.
            let _ = bind_next(range, like, &next);
            stop.sleep_until(Instant::now() + PERIOD);
        }
    };
    std::thread::Builder::new().name(CHECKER.to_owned()).spawn(check).context("could not start the checker's thread")
}

fn connect_once(destination: SocketAddr, tally: &Tally) {
    match sockets::client(destination, true) {
        Ok(socket) => workload::timed_connect(tally, || rustix::net::connect(&socket, &destination)),
        Err(_) => tally.count(Duration::ZERO, "no socket"),
    }
}
