// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `out-of-descriptors`: a client keeps its connections until its file descriptors run out, so socket() fails.

use std::{os::fd::OwnedFd, time::Duration};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Stage, VICTIM, descriptors, say, sockets, tally::Tally, workload};

/// The client's limit on file descriptors during the incident, small enough to be reached soon.
const LIMIT: u64 = 200;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.map_or(LIMIT, |current| current.min(LIMIT));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum })?;
    let listener = sockets::listener(stage.destination, 1024)?;
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || serve(&listener))
        .context("could not start the server's thread")?;
    let destination = stage.destination;
    let mut kept: Vec<OwnedFd> = Vec::new();
    let full = loop {
        match sockets::plain_client(destination, true) {
            Ok(socket) => {
                rustix::net::connect(&socket, &destination).context("could not connect to the lab's own server")?;
                kept.push(socket);
            }
            Err(errno) => break errno,
        }
    };
    say(&format!(
        "{VICTIM} keeps {} connections; with its limit of {current} the next socket() fails: {full}",
        kept.len()
    ));
    let tally = Tally::new();
    // The ready file needs a descriptor.
    drop(kept.pop());
    stage.ready()?;
    kept.extend(sockets::plain_client(destination, true));
    let victim = workload::victim(stage, &tally, move |tally| match sockets::plain_client(destination, true) {
        Ok(socket) => workload::timed_connect(tally, || rustix::net::connect(&socket, &destination)),
        Err(_) => tally.count(Duration::ZERO, "no socket"),
    })?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    drop(kept);
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

/// Accepts connections with a descriptor table of its own, so that the client's table holds the client's descriptors
/// only.
fn serve(listener: &OwnedFd) {
    let Ok(()) = descriptors::own_table() else { return };
    let mut kept = Vec::new();
    while let Ok(socket) = rustix::net::accept(listener) {
        kept.push(socket);
    }
    std::thread::park();
}
