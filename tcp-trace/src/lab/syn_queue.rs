// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `syn-queue`: clients that never answer the SYN-ACK fill a listener's SYN queue, first with SYN cookies,
//! then without.

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
/// Value of tcp_max_syn_backlog: above four thirds of the backlog, so that the queue fills and not the last quarter of
/// this.
const MAX_SYN_BACKLOG: &str = "1024";
/// Time with SYN cookies: long enough to see on a screen, updated once a second, that they work.
const WITH_COOKIES: Duration = Duration::from_secs(10);
/// Time between two SYNs of the flood. Under pressure the kernel gives up a handshake after 7 s, so the queue stays
/// full.
const FLOOD_PERIOD: Duration = Duration::from_millis(20);
/// How long a client keeps its socket: longer than 7 s, because a closed socket answers with a RST, which makes room.
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
    say(&format!(
        "{} handshakes that their clients never complete fill the SYN queue of {}",
        deaf.len(),
        stage.destination
    ));
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
        say("SYN cookies are off from now on: the kernel drops SYNs that find no room");
        when = "without";
        stage.stop.wait(stage.duration.saturating_sub(with_cookies));
    }
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{when}, {VICTIM} saw {}", tally.take()));
    Ok(())
}

type Deaf = (Instant, OwnedFd);

/// A client that sends a SYN and ignores the answer.
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
        // No port or descriptor is left: the existing clients are enough for the flood.
        sockets.extend(deaf(destination));
        stop.sleep_until(Instant::now() + FLOOD_PERIOD);
    }
}

/// Starts a thread that is not joined, because it may be blocked in accept() when the process ends.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .with_context(|| format!("could not start the thread {name}"))?;
    Ok(())
}
