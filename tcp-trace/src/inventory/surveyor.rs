// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes inventories on a thread of its own, so that events do not wait for them.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::Inventory;

/// However often answers are given.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Of the time, looking takes one part in so many at most.
const REST: u32 = 10;

/// Ends with its owner.
#[derive(Debug)]
pub struct Surveyor {
    latest: Arc<Mutex<Option<Arc<Inventory>>>>,
    /// Dropping it ends the thread.
    _alive: mpsc::Sender<()>,
}

impl Surveyor {
    /// Takes the first inventory at once, and goes on on a thread.
    pub fn start() -> Self {
        let latest = Arc::new(Mutex::new(Some(Arc::new(Inventory::take()))));
        let (alive, owner) = mpsc::channel();
        let shared = Arc::clone(&latest);
        // Without the thread the first inventory stays the latest until the last one is taken.
        let started = thread::Builder::new().name("surveyor".into()).spawn(move || {
            let mut rest = AT_MOST_EVERY;
            while owner.recv_timeout(rest) == Err(mpsc::RecvTimeoutError::Timeout) {
                let begin = Instant::now();
                let inventory = Arc::new(Inventory::take());
                rest = (begin.elapsed() * REST).max(AT_MOST_EVERY);
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(inventory);
            }
        });
        if let Err(error) = started {
            tracing::warn!("sockets are looked at twice only, at the start and at the end: {error}");
        }
        Self { latest, _alive: alive }
    }

    /// The last one taken, if it was not given before.
    pub fn news(&self) -> Option<Arc<Inventory>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One of now.
    pub fn fresh(&self) -> Arc<Inventory> {
        Arc::new(Inventory::take())
    }
}
