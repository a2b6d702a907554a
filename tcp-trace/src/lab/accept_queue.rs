// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server that accepts more slowly than connections come: its accept queue is full, and SYNs are dropped.

use std::{os::fd::OwnedFd, time::Duration};

use anyhow::Context as _;

use super::{Stage, VICTIM, held_connections::HeldConnections, say, sockets, stop::Stop, tally::Tally, workload};

/// What the server asks of listen(), below the default of net.core.somaxconn.
const BACKLOG: u32 = 128;
/// The server's work on each connection.
const WORK: Duration = Duration::from_millis(200);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let listener = sockets::listener(stage.destination, BACKLOG)?;
    let mut held = HeldConnections::new(stage.destination)?;
    // The queue takes one more than its limit.
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

/// Not joined at the end: it may wait in accept(), and ends with the process.
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
