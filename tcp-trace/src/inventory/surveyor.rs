// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes inventories on a thread of its own, so that events do not wait for them.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{Inventory, Wanted};

/// However often answers are given.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Ends with its owner.
#[derive(Debug)]
pub struct Surveyor {
    wanted: Wanted,
    latest: Arc<Mutex<Option<Arc<Inventory>>>>,
    /// Dropping it ends the thread.
    _alive: mpsc::Sender<()>,
}

impl Surveyor {
    /// Takes the first inventory at once, and goes on on a thread; looking takes at most `share` of the time.
    pub fn start(wanted: Wanted, share: f64) -> Self {
        let first = Inventory::take(&wanted);
        let mut rest = rest(first.took_ns, share);
        let latest = Arc::new(Mutex::new(Some(Arc::new(first))));
        let (alive, owner) = mpsc::channel();
        let (shared, looked_for) = (Arc::clone(&latest), wanted.clone());
        // Without the thread the first inventory stays the latest until the last one is taken.
        let started = thread::Builder::new().name("surveyor".into()).spawn(move || {
            while owner.recv_timeout(rest) == Err(mpsc::RecvTimeoutError::Timeout) {
                let inventory = Inventory::take(&looked_for);
                rest = self::rest(inventory.took_ns, share);
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(inventory));
            }
        });
        if let Err(error) = started {
            tracing::warn!("sockets are looked at twice only, at the start and at the end: {error}");
        }
        Self { wanted, latest, _alive: alive }
    }

    /// The last one taken, if it was not given before.
    pub fn news(&self) -> Option<Arc<Inventory>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One of now.
    pub fn fresh(&self) -> Arc<Inventory> {
        Arc::new(Inventory::take(&self.wanted))
    }
}

/// After one that took so long.
fn rest(took_ns: u64, share: f64) -> Duration {
    Duration::from_nanos((took_ns as f64 / share) as u64).max(AT_MOST_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_done_seldom() {
        assert_eq!(rest(2_000_000, 0.01), Duration::from_secs(1));
        assert_eq!(rest(160_000_000, 0.01), Duration::from_secs(16));
    }
}
