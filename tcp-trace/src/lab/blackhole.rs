// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `blackhole`: a destination answers no SYN; some callers wait until the kernel gives up, others give up
//! first.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::io::Errno;

use super::{Stage, VICTIM, say, sockets, tally::Tally, workload};

/// Number of callers that wait. Each is busy for 3 s: the SYN, a retransmit after 1 s, and 2 s without an answer.
const PATIENT: usize = 4;
const SYN_RETRANSMITS: i32 = 1;
/// How long the other callers wait before they give up.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let listener = sockets::listener(stage.destination, 16)?;
    sockets::drop_all_packets(&listener).context("could not attach the filter that drops every packet")?;
    let tally = Tally::new();
    stage.ready()?;
    say(&format!(
        "every SYN to {} is dropped: {PATIENT} callers wait, {} a second give up after 1 s",
        stage.destination, stage.rate
    ));
    for _ in 0..PATIENT {
        patient(stage, &tally)?;
    }
    let destination = stage.destination;
    let mut waiting: VecDeque<(Instant, OwnedFd)> = VecDeque::new();
    let hasty = workload::victim(stage, &tally, move |tally| {
        while waiting.front().is_some_and(|(since, _)| since.elapsed() >= PATIENCE) {
            waiting.pop_front();
        }
        let Ok(socket) = sockets::client(destination, false) else { return };
        let start = Instant::now();
        match rustix::net::connect(&socket, &destination) {
            Err(Errno::INPROGRESS) => {
                tally.count(start.elapsed(), "given up");
                waiting.push_back((start, socket));
            }
            result => tally.count(start.elapsed(), &super::tally::outcome(result)),
        }
    })?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = hasty.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

/// Connects again and again until the incident ends. The thread is not joined, because it may be blocked for seconds.
fn patient(stage: &Stage, tally: &Tally) -> anyhow::Result<()> {
    let (stop, tally, destination) = (stage.stop.clone(), tally.clone(), stage.destination);
    std::thread::Builder::new()
        .name(VICTIM.to_owned())
        .spawn(move || {
            while !stop.is_over() {
                let Ok(socket) = sockets::client(destination, true) else { return };
                if sockets::set_syn_retransmits(&socket, SYN_RETRANSMITS).is_err() {
                    return;
                }
                workload::timed_connect(&tally, || rustix::net::connect(&socket, &destination));
            }
        })
        .context("could not start a thread that waits")?;
    Ok(())
}
