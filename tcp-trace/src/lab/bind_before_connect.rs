// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `bind-before-connect`: a proxy binds to its address and port 0 before it connects. Each of its connections
//! has a port to itself, towards all destinations, until hardly any port is left.

use std::{net::SocketAddr, os::fd::OwnedFd, time::Duration};

use rustix::io::{Errno, Result};

use super::{
    Stage, VICTIM,
    held_connections::{HeldConnections, connected},
    netns::PortRange,
    parity_cliff, range_full, say, sockets,
    tally::Tally,
    workload,
};

/// Ports left free at the end of the range; bind() finds them after a long walk.
const LEFT: u16 = 64;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let range = PortRange::read()?;
    let _listener = parity_cliff::listener(stage, range)?;
    let destination = stage.destination;
    let mut held = HeldConnections::of(format!("bound connections to {destination}"), move || {
        connected(bound_client(destination, false)?, destination)
    })?;
    say(&format!("a proxy calls bind() to port 0, then connect() to {destination}, for each of its connections"));
    let taken = PortRange { low: range.low, high: range.high.saturating_sub(LEFT).max(range.low) };
    range_full::fill(&mut held, taken, &stage.stop)?;
    range.write()?;
    say(&format!("{} of {} ports are held, each by one connection alone", held.held(), range.ports()));

    let tally = Tally::new();
    stage.ready()?;
    let victim = workload::victim(stage, &tally, move |tally| match bound_client(destination, true) {
        Ok(socket) => workload::timed_connect(tally, || rustix::net::connect(&socket, &destination)),
        Err(Errno::ADDRINUSE) => tally.count(Duration::ZERO, "bind() EADDRINUSE"),
        Err(_) => tally.count(Duration::ZERO, "no socket"),
    })?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

/// A client socket that binds first: without IP_BIND_ADDRESS_NO_PORT the kernel looks for a port that is free towards
/// every destination.
fn bound_client(destination: SocketAddr, blocking: bool) -> Result<OwnedFd> {
    let socket = sockets::client(destination, blocking)?;
    rustix::net::bind(&socket, &SocketAddr::new(destination.ip(), 0))?;
    Ok(socket)
}
