// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `linger-reset`: two misuses of SO_LINGER. With 0 s, each close() is a RST that discards undelivered data;
//! with a time meant in milliseconds, close() blocks for seconds.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::net::{SendFlags, sockopt};

use super::{Stage, VICTIM, say, sockets, stop::Stop, tally::Tally, workload};

/// How long the second misuse blocks. It takes the place of a value in milliseconds, which the kernel reads as seconds.
const LINGER: Duration = Duration::from_secs(2);
/// Name of the thread whose close() blocks, because its peer does not read.
const WAITER: &str = "lab-waiter";

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let listener = sockets::listener(stage.destination, 1024)?;
    std::thread::Builder::new()
        .name("lab-server".to_owned())
        .spawn(move || serve(&listener))
        .context("could not start the server's thread")?;
    let tally = Tally::new();
    stage.ready()?;
    let destination = stage.destination;
    say(&format!("{VICTIM} ends each connection to {destination} with SO_LINGER 0: a RST instead of a FIN"));
    say(&format!("{WAITER} sends to a peer that does not read, and closes with SO_LINGER {} s", LINGER.as_secs()));
    let waiter = waiter(stage)?;
    let victim = workload::resetting_victim(stage, &tally)?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    let longest = waiter.join().unwrap_or_default();
    say(&format!("{VICTIM} saw {}; the longest close() of {WAITER} took {} ms", tally.take(), longest.as_millis()));
    Ok(())
}

/// Accepts every connection and reads nothing.
fn serve(listener: &OwnedFd) {
    let mut unread = Vec::new();
    while let Ok(socket) = rustix::net::accept(listener) {
        unread.push(socket);
        // Connections that were reset need not be kept.
        unread.drain(..unread.len().saturating_sub(64));
    }
}

fn waiter(stage: &Stage) -> anyhow::Result<std::thread::JoinHandle<Duration>> {
    let (stop, destination) = (stage.stop.clone(), stage.destination);
    std::thread::Builder::new()
        .name(WAITER.to_owned())
        .spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.is_over() {
                let Ok(took) = close_slowly(destination) else { return longest };
                longest = longest.max(took);
                stop_for_a_while(&stop);
            }
            longest
        })
        .context("could not start the thread that waits")
}

/// Fills the peer's window, so that the FIN behind it cannot be delivered.
fn close_slowly(destination: std::net::SocketAddr) -> rustix::io::Result<Duration> {
    let socket = sockets::plain_client(destination, true)?;
    rustix::net::connect(&socket, &destination)?;
    sockopt::set_socket_linger(&socket, Some(LINGER))?;
    let block = [0_u8; 16 << 10];
    while rustix::net::send(&socket, &block, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok() {}
    let start = Instant::now();
    drop(socket);
    Ok(start.elapsed())
}

fn stop_for_a_while(stop: &Stop) {
    stop.sleep_until(Instant::now() + Duration::from_millis(500));
}
