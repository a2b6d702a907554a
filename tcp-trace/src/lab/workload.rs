// SPDX-License-Identifier: MIT OR Apache-2.0
//! A victim: a thread that connects at a steady rate.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    Stage, VICTIM, sockets,
    stop::Stop,
    tally::{self, Tally},
};

/// Starts a victim that calls `connect_once` `stage.rate` times a second until the incident ends.
pub(super) fn victim(
    stage: &Stage,
    tally: &Tally,
    mut connect_once: impl FnMut(&Tally) + Send + 'static,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (stop, tally, rate) = (stage.stop.clone(), tally.clone(), stage.rate);
    std::thread::Builder::new()
        .name(VICTIM.to_owned())
        .spawn(move || steadily(&stop, rate, || connect_once(&tally)))
        .context("could not start the victim's thread")
}

/// Starts a victim whose connects block; it closes each connection at once with a RST.
pub(super) fn resetting_victim(stage: &Stage, tally: &Tally) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let destination = stage.destination;
    victim(stage, tally, move |tally| {
        let Ok(socket) = sockets::client(destination, true) else { return tally.count(Duration::ZERO, "no socket") };
        timed_connect(tally, || rustix::net::connect(&socket, &destination));
    })
}

/// How long a victim that does not block waits for each connect.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a victim whose connects wait side by side, so that slow connects do not slow it down. It closes each with a
/// RST at its end.
pub(super) fn waiting_victim(stage: &Stage, tally: &Tally) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let destination = stage.destination;
    let mut waiting: Vec<(Instant, OwnedFd)> = Vec::new();
    victim(stage, tally, move |tally| {
        waiting.retain(|(since, socket)| match over(socket) {
            Some(result) => {
                tally.count(since.elapsed(), &tally::outcome(result));
                false
            }
            None if since.elapsed() >= PATIENCE => {
                tally.count(since.elapsed(), "given up");
                false
            }
            None => true,
        });
        let Ok(socket) = sockets::client(destination, false) else { return tally.count(Duration::ZERO, "no socket") };
        let start = Instant::now();
        match rustix::net::connect(&socket, &destination) {
            Err(Errno::INPROGRESS) => waiting.push((start, socket)),
            result => tally.count(start.elapsed(), &tally::outcome(result)),
        }
    })
}

/// The result of a non-blocking connect; `None` while it is in progress.
fn over(socket: &OwnedFd) -> Option<Result<(), Errno>> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&now)) {
        Ok(0) => None,
        Ok(_) => Some(rustix::net::sockopt::socket_error(socket).and_then(|error| error)),
        Err(errno) => Some(Err(errno)),
    }
}

/// Counts one blocking call and its duration.
pub(super) fn timed_connect(tally: &Tally, connect: impl FnOnce() -> Result<(), Errno>) {
    let start = Instant::now();
    let result = connect();
    tally.count(start.elapsed(), &tally::outcome(result));
}

fn steadily(stop: &Stop, rate: u32, mut once: impl FnMut()) {
    let period = Duration::from_secs(1) / rate;
    let mut next = Instant::now();
    while !stop.is_over() {
        once();
        // A late victim stays late: catching up would cause an unwanted burst.
        next = (next + period).max(Instant::now());
        stop.sleep_until(next);
    }
}
