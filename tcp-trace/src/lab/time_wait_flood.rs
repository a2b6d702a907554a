// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `time-wait-flood`: short connections that the client closes first, so that the client keeps the TIME_WAIT
//! of each.

use std::os::fd::OwnedFd;

use anyhow::Context as _;

use super::{Stage, VICTIM, netns, say, sockets, tally::Tally, workload};

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let listener = sockets::listener(stage.destination, 1024)?;
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || serve(&listener))
        .context("could not start the server's thread")?;

    let tally = Tally::new();
    stage.ready()?;
    let destination = stage.destination;
    say(&format!("{} connections a second to {destination}, each closed by the client first", stage.rate));
    let victim = workload::victim(stage, &tally, move |tally| {
        let Ok(socket) = sockets::plain_client(destination, true) else { return };
        workload::timed_connect(tally, || rustix::net::connect(&socket, &destination));
    })?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}; TIME_WAIT now {}", tally.take(), netns::time_wait_level()?));
    Ok(())
}

/// Closes each connection after the client has closed it, which the end of the stream shows.
fn serve(listener: &OwnedFd) {
    while let Ok(socket) = rustix::net::accept(listener) {
        let mut byte = [0_u8; 1];
        let _ = rustix::io::read(&socket, &mut byte);
    }
}
