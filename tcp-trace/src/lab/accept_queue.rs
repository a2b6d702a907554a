// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `accept-queue`: a server accepts more slowly than connections arrive, so its accept queue is full and SYNs
//! are dropped.

use std::{os::fd::OwnedFd, time::Duration};

use anyhow::Context as _;

use super::{Stage, VICTIM, held_connections::HeldConnections, say, sockets, stop::Stop, tally::Tally, workload};

/// Backlog that the server passes to listen(), below the default of net.core.somaxconn.
const BACKLOG: u32 = 128;
/// Time that the server spends on each connection.
const WORK: Duration = Duration::from_millis(200);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let listener = sockets::listener(stage.destination, BACKLOG)?;
    let mut held = HeldConnections::new(stage.destination)?;
    // The accept queue holds one connection more than its limit.
    held.grow_to(BACKLOG + 1, &stage.stop)?;
    say(&format!("{} connections fill the accept queue of {}: backlog {BACKLOG}", held.held(), stage.destination));
    serve(listener, &stage.stop)?;
    let tally = Tally::new();
    let victim = workload::waiting_victim(stage, &tally)?;
    stage.ready()?;
    say(&format!("{} connects a second; the server accepts one in {WORK:?}", stage.rate));
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

/// Accepts connections until the process ends. The thread is not joined, because it may be blocked in accept().
fn serve(listener: OwnedFd, stop: &Stop) -> anyhow::Result<()> {
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || {
            while !stop.is_over() {
                let connection = rustix::net::accept(&listener);
                std::thread::sleep(WORK);
                drop(connection);
            }
        })
        .context("could not start the server's thread")?;
    Ok(())
}
