// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compresses, writes and syncs on a thread of its own: the road waits for a disk only when much is on its way already,
//! and what is lost then is counted where it always is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::before::Before;
use super::block::{Kind, seal};
use super::bytes::Bytes;
use super::happened::{books, take_head};
use super::ring::{Reach, Ring};
use super::store::{Rotation, Store};
use crate::circumstances::Circumstances;
use crate::export::output_thread;
use crate::road::Moment;

/// Payloads on their way to the disk.
const UNDER_WAY: usize = 64;

/// Where to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file.
    pub path: PathBuf,
    /// When it is long enough.
    pub rotation: Rotation,
    /// Only what came before is kept, until it is to be written; `None`: everything is written at once.
    pub reach: Option<Reach>,
}

impl Target {
    /// A file, whole, however long it gets.
    pub fn plain(path: &Path) -> Self {
        Self { path: path.to_owned(), rotation: Rotation::default(), reach: None }
    }
}

enum Order {
    Block(Kind, Vec<u8>),
    Tick(Moment, Vec<u8>),
    /// What came before is to be kept.
    Fire,
}

/// The near end.
#[derive(Debug)]
pub struct Writer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    /// Makes the file, unless it is only to be made once something fires.
    pub fn start(target: Target, known: &Circumstances) -> io::Result<Self> {
        let (orders, waiting) = sync_channel(UNDER_WAY);
        let known = known.clone();
        // Its thread makes files too, and so is of that one's kind.
        let thread = output_thread::run(move || {
            let place = match target.reach {
                None => Place::File(Store::begin(&target.path, &known, None, target.rotation)?),
                Some(reach) => Place::Ring(Ring::new(reach, known.begin)),
            };
            let desk = Desk { target, known, place, before: Before::default() };
            thread::Builder::new().name("recorder".into()).spawn(move || desk.work(&waiting))
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// A block.
    pub fn block(&mut self, kind: Kind, payload: Vec<u8>) -> io::Result<()> {
        self.send(Order::Block(kind, payload))
    }

    /// The end of an interval: from here on it survives the machine, and a file may end.
    pub fn tick(&mut self, now: Moment, payload: Vec<u8>) -> io::Result<()> {
        self.send(Order::Tick(now, payload))
    }

    /// What came before is to be written, and what follows too.
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
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes it panicked")))
    }
}

enum Place {
    File(Store),
    Ring(Ring),
}

/// The far end.
struct Desk {
    target: Target,
    known: Circumstances,
    place: Place,
    before: Before,
}

impl Desk {
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
                Order::Fire => self.fire()?,
            }
        }
        match &self.place {
            Place::File(store) => store.sync(),
            Place::Ring(_) => Ok(()),
        }
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let Some(block) = seal(kind, payload) else {
            // It could not be read again, and what follows can.
            tracing::warn!("the recording lacks a block of {} bytes: none may be as long", payload.len());
            return Ok(());
        };
        match &mut self.place {
            Place::File(store) => store.write(&block),
            Place::Ring(ring) => {
                ring.push(block);
                Ok(())
            }
        }
    }

    /// What the next file begins with.
    fn remember(&mut self, kind: Kind, payload: Vec<u8>) {
        match kind {
            // Rows are news, and news of before are of no use.
            Kind::Stock => self.before.stock = books(&payload).to_vec(),
            Kind::Totals => self.before.totals = payload,
            // Ours a moment ago.
            Kind::TimeWait => self.known.time_wait_start = take_head(&mut Bytes(&payload)).ok(),
            _ => {}
        }
    }

    fn tick(&mut self, now: Moment) -> io::Result<()> {
        self.known.begin = now;
        match &mut self.place {
            Place::Ring(ring) => ring.tick(now, self.before.clone()),
            Place::File(store) => {
                store.sync()?;
                if store.is_long(now) {
                    store.rotate(&self.known, &self.before)?;
                }
            }
        }
        Ok(())
    }

    fn fire(&mut self) -> io::Result<()> {
        let Place::Ring(ring) = &mut self.place else { return Ok(()) };
        let ring = std::mem::replace(ring, Ring::new(ring.reach(), self.known.begin));
        let (begin, before, blocks) = ring.into_parts();
        let known = Circumstances { begin, ..self.known.clone() };
        let mut store = Store::begin(&self.target.path, &known, Some(&before), self.target.rotation)?;
        for block in blocks {
            store.write(&block)?;
        }
        store.sync()?;
        self.place = Place::File(store);
        Ok(())
    }
}
