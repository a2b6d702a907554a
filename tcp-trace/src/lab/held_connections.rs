// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connections that are held open towards one destination and take its ports.
//!
//! The other ends wait in the listener's accept queue, so each connection costs one file descriptor. Where one
//! descriptor table has no room for all, further threads with tables of their own hold the rest.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, Result},
};

use super::{descriptors, sockets, stop::Stop};

/// Connections to make between two checks for signals.
const BATCH: u32 = 512;

/// Creates one more socket to hold.
type Make = Arc<dyn Fn() -> Result<OwnedFd> + Send + Sync>;

/// The sockets that an incident holds.
pub(super) struct HeldConnections {
    make: Make,
    /// What the sockets are, for the error message.
    what: String,
    room_per_table: u32,
    holders: Vec<Holder>,
}

/// One thread with a descriptor table of its own. It closes everything when `orders` is dropped.
struct Holder {
    orders: Sender<u32>,
    answers: Receiver<Answer>,
    held: u32,
}

struct Answer {
    held: u32,
    failed: Option<Errno>,
}

impl HeldConnections {
    /// Holds connections to `destination`.
    pub(super) fn new(destination: SocketAddr) -> anyhow::Result<Self> {
        Self::of(format!("connections to {destination}"), move || {
            connected(sockets::client(destination, false)?, destination)
        })
    }

    /// Holds sockets that `make` creates.
    pub(super) fn of(what: String, make: impl Fn() -> Result<OwnedFd> + Send + Sync + 'static) -> anyhow::Result<Self> {
        Ok(Self { make: Arc::new(make), what, room_per_table: descriptors::room_per_table()?, holders: Vec::new() })
    }

    pub(super) fn held(&self) -> u32 {
        self.holders.iter().map(|holder| holder.held).sum()
    }

    /// Connects until `target` connections are held, or a signal arrives.
    pub(super) fn grow_to(&mut self, target: u32, stop: &Stop) -> anyhow::Result<()> {
        loop {
            let missing = target.saturating_sub(self.held());
            if missing == 0 || stop.wait(Duration::ZERO) {
                return Ok(());
            }
            let room = self.room_per_table;
            if self.holders.last().is_none_or(|holder| holder.held >= room) {
                self.holders.push(Holder::start(&self.make)?);
            }
            let holder = self.holders.last_mut().context("a holder was just added")?;
            let order = missing.min(room - holder.held).min(BATCH);
            holder.orders.send(order).context("the thread that holds connections ended")?;
            let answer = holder.answers.recv().context("the thread that holds connections ended")?;
            holder.held = answer.held;
            if let Some(errno) = answer.failed {
                return Err(anyhow::Error::new(errno).context(format!(
                    "could hold only {} of {target} {}",
                    self.held(),
                    self.what
                )));
            }
        }
    }
}

impl Holder {
    fn start(make: &Make) -> anyhow::Result<Self> {
        let (orders, inbox) = channel();
        let (outbox, answers) = channel();
        let make = make.clone();
        thread::Builder::new()
            .name("lab-crowd".to_owned())
            .spawn(move || hold(&*make, &inbox, &outbox))
            .context("could not start a thread that holds connections")?;
        Ok(Self { orders, answers, held: 0 })
    }
}

fn hold(make: &dyn Fn() -> Result<OwnedFd>, orders: &Receiver<u32>, answers: &Sender<Answer>) {
    let mut sockets = Vec::new();
    let mut failed = descriptors::own_table().err();
    for count in orders {
        for _ in 0..count {
            match failed.map_or_else(make, Err) {
                Ok(socket) => sockets.push(socket),
                Err(errno) => {
                    failed = Some(errno);
                    break;
                }
            }
        }
        let held = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
        if answers.send(Answer { held, failed: failed.take() }).is_err() {
            return;
        }
    }
}

/// Connects a non-blocking socket and waits until it is connected.
pub(super) fn connected(socket: OwnedFd, destination: SocketAddr) -> Result<OwnedFd> {
    match rustix::net::connect(&socket, &destination) {
        Ok(()) => Ok(socket),
        Err(Errno::INPROGRESS) => {
            let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
            if poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&patience))? == 0 {
                return Err(Errno::TIMEDOUT);
            }
            rustix::net::sockopt::socket_error(&socket)??;
            Ok(socket)
        }
        Err(errno) => Err(errno),
    }
}
