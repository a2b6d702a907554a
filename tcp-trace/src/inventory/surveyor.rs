// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes inventories on a thread of its own, so that events need not wait for them.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{Inventory, SurveyRequest};
use crate::clock;

/// Minimum time between two inventories, however short the interval.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// An inventory that takes longer is not repeated for the final report, if there is a recent one.
const LONG_NS: u64 = 3_000_000_000;
/// Age up to which an inventory counts as recent.
const RECENT_NS: u64 = 10_000_000_000;

/// The thread, which ends with this value.
#[derive(Debug)]
pub struct Surveyor {
    request: SurveyRequest,
    shared: Arc<Shared>,
}

/// State shared by owner and thread.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    latest: Option<Arc<Inventory>>,
    /// Whether the latest inventory has not been returned yet.
    is_news: bool,
    /// Whether the thread is reading.
    looking: bool,
    /// Whether the owner is gone.
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Surveyor {
    /// Takes an inventory at once and then repeatedly, on a thread; reading takes at most `share` of the time.
    pub fn start(request: SurveyRequest, share: f64) -> Self {
        let shared =
            Arc::new(Shared { state: Mutex::new(State { looking: true, ..State::default() }), ..Shared::default() });
        let (active, looked_for) = (Arc::clone(&shared), request.clone());
        let started = thread::Builder::new().name("surveyor".into()).spawn(move || work(&active, &looked_for, share));
        if let Err(error) = started {
            tracing::warn!("sockets are read only at the end of the run: {error}");
            shared.lock().looking = false;
        }
        Self { request, shared }
    }

    /// The latest inventory, if it was not returned before.
    pub fn news(&self) -> Option<Arc<Inventory>> {
        let mut state = self.shared.lock();
        std::mem::take(&mut state.is_news).then(|| state.latest.clone()).flatten()
    }

    /// A new inventory, or a recent one if reading takes long.
    pub fn fresh(&self) -> Arc<Inventory> {
        let mut state = self.shared.lock();
        while state.looking {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(latest) = &state.latest
            && latest.took_ns > LONG_NS
            && clock::monotonic_ns().saturating_sub(latest.begin_ns + latest.took_ns) < RECENT_NS
        {
            return Arc::clone(latest);
        }
        drop(state);
        Arc::new(Inventory::take(&self.request))
    }
}

impl Drop for Surveyor {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
    }
}

fn work(shared: &Shared, request: &SurveyRequest, share: f64) {
    loop {
        let inventory = Inventory::take(request);
        let rest = rest(inventory.took_ns, share);
        let mut state = shared.lock();
        (state.latest, state.is_news, state.looking) = (Some(Arc::new(inventory)), true, false);
        shared.changed.notify_all();
        let waited = shared.changed.wait_timeout_while(state, rest, |state| !state.over);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return;
        }
        state.looking = true;
    }
}

/// Pause after an inventory that took this long.
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

    #[test]
    fn news_are_given_once_and_the_last_look_is_of_now() {
        let own = super::super::namespaces::Namespace::own().expect("procfs").inode;
        let request = SurveyRequest { netns: Some(own), owners: false, ..SurveyRequest::ALL };
        let begin_ns = clock::monotonic_ns();
        let surveyor = Surveyor::start(request, 1.0);
        let first = surveyor.fresh();
        assert!(first.begin_ns >= begin_ns);
        assert!(surveyor.news().is_some());
        assert!(surveyor.news().is_none());
    }
}
