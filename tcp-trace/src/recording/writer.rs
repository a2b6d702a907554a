// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compresses, writes and syncs on a thread of its own. The run waits for the disk only if much data is queued; losses
//! then occur in the ring buffer, where they are counted.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    baseline::Baseline,
    block::{Kind, seal},
    bytes::Bytes,
    message::{books, take_head},
    ring::{Retention, Ring},
    store::{Rotation, Store},
};
use crate::{clock::Moment, export::output_thread, session_info::SessionInfo};

/// Upper limit of payloads in the queue.
const UNDER_WAY: usize = 64;
/// Upper limit of intervals between two attempts to write after the trigger.
const MOST_PAUSE: u32 = 16;

/// Destination of a recording.
#[derive(Clone, Debug)]
pub struct Target {
    /// Path of the file.
    pub path: PathBuf,
    /// When the file is full.
    pub rotation: Rotation,
    /// Length of the history, which is kept until the trigger fires; `None`: everything is written at once.
    pub retention: Option<Retention>,
}

impl Target {
    /// A single file of any length.
    pub fn plain(path: &Path) -> Self {
        Self { path: path.to_owned(), rotation: Rotation::default(), retention: None }
    }
}

enum Order {
    Block(Kind, Vec<u8>),
    Tick(Moment, Vec<u8>),
    /// Keep the history and write it.
    Fire,
    HasFile(SyncSender<bool>),
}

/// Handle of the writing thread.
#[derive(Debug)]
pub struct Writer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    /// Creates the file, or checks that it could be created when the trigger fires.
    pub fn start(target: Target, known: &SessionInfo) -> io::Result<Self> {
        let (orders, waiting) = sync_channel(UNDER_WAY);
        let known = known.clone();
        // The thread creates files too, so it is started by the output thread.
        let thread = output_thread::run(move || {
            let destination = match target.retention {
                None => Destination::File(Store::begin(&target.path, &known, None, target.rotation)?),
                Some(retention) => {
                    Store::check(&target.path, &known)?;
                    Destination::Ring(Ring::new(retention, known.begin))
                }
            };
            let shared = Shared { target, known, destination, before: Baseline::default(), retry: None };
            thread::Builder::new().name("recorder".into()).spawn(move || shared.work(&waiting))
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Whether what was sent so far went to a file, and not to memory only. Waits for it.
    pub fn has_file(&mut self) -> io::Result<bool> {
        let (answer, answered) = sync_channel(1);
        self.send(Order::HasFile(answer))?;
        // The thread ended before it handled this order; the next order reports why.
        Ok(answered.recv().unwrap_or(false))
    }

    /// A block.
    pub fn block(&mut self, kind: Kind, payload: Vec<u8>) -> io::Result<()> {
        self.send(Order::Block(kind, payload))
    }

    /// The end of an interval: from here on it survives the machine, and a file may end.
    pub fn tick(&mut self, now: Moment, payload: Vec<u8>) -> io::Result<()> {
        self.send(Order::Tick(now, payload))
    }

    /// Writes the history, and everything that follows.
    pub fn fire(&mut self) -> io::Result<()> {
        self.send(Order::Fire)
    }

    fn send(&mut self, order: Order) -> io::Result<()> {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        // It ended before we did: it says why.
        if sent { Ok(()) } else { self.finish() }
    }

    /// Waits until everything is written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.orders = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes the recording panicked")))
    }
}

enum Destination {
    File(Store),
    Ring(Ring),
}

/// The far end.
struct Shared {
    target: Target,
    known: SessionInfo,
    destination: Destination,
    before: Baseline,
    /// Set if the trigger fired and the history is not in a file yet.
    retry: Option<Retry>,
}

/// Intervals until the next try, and how many they were before this one.
#[derive(Clone, Copy)]
struct Retry {
    left: u32,
    pause: u32,
}

impl Shared {
    fn work(mut self, orders: &Receiver<Order>) -> io::Result<()> {
        for order in orders {
            match order {
                Order::Block(kind, payload) => {
                    self.write(kind, &payload)?;
                    self.remember(kind, payload);
                }
                Order::Tick(now, payload) => {
                    self.write(Kind::Tick, &payload)?;
                    self.tick(now)?;
                }
                Order::Fire => self.fire(),
                Order::HasFile(answer) => {
                    // Who asked waits for it.
                    let _ = answer.send(matches!(self.destination, Destination::File(_)));
                }
            }
        }
        match (&self.destination, self.retry) {
            (Destination::File(store), _) => store.sync(),
            (Destination::Ring(_), Some(_)) => self.write_out(),
            (Destination::Ring(_), None) => Ok(()),
        }
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let Some(block) = seal(kind, payload) else {
            // It could not be read again, and what follows can.
            tracing::warn!("the recording lacks a block of {} bytes, which is too long", payload.len());
            return Ok(());
        };
        match &mut self.destination {
            Destination::File(store) => store.write(&block),
            Destination::Ring(ring) => {
                ring.push(block);
                Ok(())
            }
        }
    }

    /// Remembers a payload that the next file begins with.
    fn remember(&mut self, kind: Kind, payload: Vec<u8>) {
        match kind {
            // Rows are news, and news of before are of no use.
            Kind::Counters => self.before.counters = books(&payload).to_vec(),
            Kind::Totals => self.before.totals = payload,
            // Ours a moment ago.
            Kind::TimeWait => self.known.time_wait_start = take_head(&mut Bytes(&payload)).ok(),
            _ => {}
        }
    }

    fn tick(&mut self, now: Moment) -> io::Result<()> {
        self.known.begin = now;
        match &mut self.destination {
            Destination::Ring(ring) => {
                ring.tick(now, self.before.clone());
                self.try_again();
            }
            Destination::File(store) => {
                store.sync()?;
                if store.is_long(now) {
                    store.rotate(&self.known, &self.before)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the history. What cannot be written now is kept, within the size limit, and retried.
    fn fire(&mut self) {
        let Destination::Ring(ring) = &mut self.destination else { return };
        ring.hold();
        self.retry = Some(Retry { left: 0, pause: 1 });
        self.try_again();
    }

    fn try_again(&mut self) {
        let Some(Retry { left, pause }) = self.retry else { return };
        if left > 0 {
            self.retry = Some(Retry { left: left - 1, pause });
            return;
        }
        if let Err(error) = self.write_out() {
            let path = self.target.path.display();
            tracing::warn!("cannot write {path}: {error}; its content stays in memory and the write is retried");
            // A full disk is not asked for all of it each second.
            self.retry = Some(Retry { left: pause, pause: (pause * 2).min(MOST_PAUSE) });
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let Destination::Ring(ring) = &self.destination else { return Ok(()) };
        let (begin, before, blocks) = ring.parts();
        let known = SessionInfo { begin, ..self.known.clone() };
        let store = Store::begin_beside(&self.target.path, &known, before, blocks)?;
        self.destination = Destination::File(store);
        self.retry = None;
        Ok(())
    }
}
