// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clients that never answer the SYN-ACK fill a listener's SYN queue: first with SYN cookies, then without.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::io::Errno;

use super::{
    Stage, VICTIM,
    netns::{self, Sysctl},
    say, sockets,
    stop::Stop,
    tally::Tally,
    workload,
};

const BACKLOG: u32 = 128;
/// Beyond four thirds of the backlog, so that it is the queue that is full and not the last quarter of this.
const MAX_SYN_BACKLOG: &str = "1024";
/// Long enough to see on a screen that is drawn once a second that cookies carry it.
const WITH_COOKIES: Duration = Duration::from_secs(10);
/// Under pressure the kernel gives a handshake up after 7 s, so the queue stays full.
const FLOOD_PERIOD: Duration = Duration::from_millis(20);
/// Longer than that: a socket that is gone answers with a RST, which makes room.
const DEAF: Duration = Duration::from_secs(15);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    netns::set_sysctl(Sysctl::TcpMaxSynBacklog, MAX_SYN_BACKLOG)?;
    netns::set_sysctl(Sysctl::TcpSyncookies, "1")?;
    let listener = sockets::listener(stage.destination, BACKLOG)?;
    spawn("lab-server", move || while rustix::net::accept(&listener).is_ok() {})?;
    let mut deaf = VecDeque::new();
    for _ in 0..=BACKLOG {
        deaf.push_back(deaf_client(stage)?);
    }
    say(&format!("{} handshakes that nobody ends fill the SYN queue of {}", deaf.len(), stage.destination));
    let (stop, destination) = (stage.stop.clone(), stage.destination);
    spawn("lab-flood", move || flood(&stop, destination, deaf))?;

    let tally = Tally::new();
    let victim = workload::waiting_victim(stage, &tally)?;
    stage.ready()?;
    let mut when = "with SYN cookies";
    let with_cookies = WITH_COOKIES.min(stage.duration / 3);
    if !stage.stop.wait(with_cookies) {
        say(&format!("{when}, {VICTIM} saw {}", tally.take()));
        netns::set_sysctl(Sysctl::TcpSyncookies, "0")?;
        say("SYN cookies are off from now on: what finds no room is dropped");
        when = "without";
        stage.stop.wait(stage.duration.saturating_sub(with_cookies));
    }
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{when}, {VICTIM} saw {}", tally.take()));
    Ok(())
}

type Deaf = (Instant, OwnedFd);

/// Sends a SYN and hears nothing of the answer.
fn deaf_client(stage: &Stage) -> anyhow::Result<Deaf> {
    deaf(stage.destination).context("could not make a client that is deaf")
}

fn deaf(destination: std::net::SocketAddr) -> rustix::io::Result<Deaf> {
    let socket = sockets::plain_client(destination, false)?;
    sockets::drop_all_packets(&socket)?;
    match rustix::net::connect(&socket, &destination) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok((Instant::now(), socket)),
        Err(errno) => Err(errno),
    }
}

fn flood(stop: &Stop, destination: std::net::SocketAddr, mut sockets: VecDeque<Deaf>) {
    while !stop.is_over() {
        while sockets.front().is_some_and(|(since, _)| since.elapsed() >= DEAF) {
            sockets.pop_front();
        }
        // No port or descriptor is left: what is there is flood enough.
        sockets.extend(deaf(destination));
        stop.sleep_until(Instant::now() + FLOOD_PERIOD);
    }
}

/// Not joined at the end: it may wait in accept(), and ends with the process.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .with_context(|| format!("could not start the thread {name}"))?;
    Ok(())
}
