// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay in real time, or at a multiple of it.

use std::{thread, time::Duration};

use super::message::OwnedMessage;
use crate::{
    clock::{self, Moment},
    exit::Failure,
    stream::Written,
};

/// Shorter waits are skipped, because many messages have nearly the same time.
const WORTH_IT: Duration = Duration::from_millis(20);

/// The schedule of a replay.
#[derive(Debug)]
pub struct Pacing {
    begin: Moment,
    speed: f64,
    started_ns: u64,
}

impl Pacing {
    /// Starts the schedule now.
    pub fn new(begin: Moment, speed: f64) -> Self {
        Self { begin, speed, started_ns: clock::monotonic_ns() }
    }

    /// Waits until the time of a message; calls `before` if there is a wait.
    ///
    /// # Errors
    /// The error of `before`.
    pub fn wait(
        &mut self,
        message: &OwnedMessage,
        before: impl FnOnce() -> Result<Written, Failure>,
    ) -> Result<(), Failure> {
        let into_it = match message {
            OwnedMessage::Event(event) => event.time().map(|time| time.duration_since(self.begin.wall).as_secs_f64()),
            OwnedMessage::Tick(now) | OwnedMessage::End(now) => {
                Some(now.monotonic_ns.saturating_sub(self.begin.monotonic_ns) as f64 / 1e9)
            }
            _ => None,
        };
        let Some(due) = into_it.and_then(|seconds| Duration::try_from_secs_f64(seconds / self.speed).ok()) else {
            return Ok(());
        };
        let waited = Duration::from_nanos(clock::monotonic_ns().saturating_sub(self.started_ns));
        let Some(left) = due.checked_sub(waited).filter(|left| *left >= WORTH_IT) else { return Ok(()) };
        before()?;
        thread::sleep(left);
        Ok(())
    }
}
