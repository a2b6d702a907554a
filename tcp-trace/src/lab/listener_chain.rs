// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `listener-chain`: a service listens once for each of two thousand devices, on one address and port. All of
//! these sockets are in one slot of the kernel's table, and each SYN walks them one by one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;

use super::{Stage, VICTIM, held_connections::HeldConnections, say, sockets, tally::Tally, workload};

const LISTENERS: u32 = 2000;
/// Index of the loopback device in every network namespace. The other devices need not exist, because the kernel does
/// not check.
const LOOPBACK: NonZeroU32 = NonZeroU32::MIN;
const BACKLOG: u32 = 1024;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let any = match stage.destination {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let any = SocketAddr::new(any, stage.destination.port());
    // The first listener is the last one that a lookup visits.
    let server = sockets::listener_on(any, LOOPBACK, BACKLOG)?;
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || while rustix::net::accept(&server).is_ok() {})
        .context("could not start the server's thread")?;
    let next = AtomicU32::new(LOOPBACK.get() + 1);
    let mut others = HeldConnections::of(format!("listeners on {any}"), move || {
        let device = NonZeroU32::new(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(LOOPBACK);
        sockets::listener_on(any, device, BACKLOG)
    })?;
    others.grow_to(LISTENERS - 1, &stage.stop)?;
    say(&format!("{} sockets listen on {any}, each bound to a device of its own", others.held() + 1));
    let tally = Tally::new();
    let victim = workload::resetting_victim(stage, &tally)?;
    stage.ready()?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}
