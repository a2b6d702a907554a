// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `close-wait`: the server closes each connection, and the client keeps its socket open.

use std::os::fd::OwnedFd;

use anyhow::Context as _;

use super::{Stage, VICTIM, descriptors, say, sockets, tally::Tally, workload};

/// Upper limit of unclosed sockets: enough to see, and few enough for the usual limit on file descriptors.
const MOST: u32 = 700;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let room = descriptors::room_per_table()?;
    let most = MOST.min(room / 2) as usize;
    let listener = sockets::listener(stage.destination, 1024)?;
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || serve(&listener))
        .context("could not start the server's thread")?;
    let tally = Tally::new();
    stage.ready()?;
    let destination = stage.destination;
    say(&format!("the server at {destination} closes each connection at once; {VICTIM} never does"));
    let mut leaked: Vec<OwnedFd> = Vec::new();
    let victim = workload::victim(stage, &tally, move |tally| {
        if leaked.len() >= most {
            return;
        }
        let Ok(socket) = sockets::plain_client(destination, true) else { return };
        workload::timed_connect(tally, || rustix::net::connect(&socket, &destination));
        leaked.push(socket);
    })?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}, and closed none of its sockets (it stops at {most})", tally.take()));
    Ok(())
}

fn serve(listener: &OwnedFd) {
    while let Ok(socket) = rustix::net::accept(listener) {
        drop(socket);
    }
}
