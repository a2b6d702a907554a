// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's `CLOCK_MONOTONIC` and the wall clock, tied together. The only caller of now().

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time on the wall clock.
    pub wall: Timestamp,
    /// Time on `CLOCK_MONOTONIC` in ns.
    pub monotonic_ns: u64,
}

/// One time that was read on both clocks, for conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    monotonic_ns: u64,
    wall: Timestamp,
}

impl Anchor {
    /// Reads both clocks. Programs attached for days must read them again from time to time, because the wall clock is
    /// slewed.
    pub fn now() -> Self {
        // The tightest of a few readings: a preemption between the two clocks would shift every time by its length.
        let reading = || {
            let before = monotonic_ns();
            let wall = Timestamp::now();
            let after = monotonic_ns();
            (after - before, Self { monotonic_ns: before + (after - before) / 2, wall })
        };
        let mut best = reading();
        for _ in 0..4 {
            let next = reading();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// An anchor with given times: replay and tests.
    pub const fn at(monotonic_ns: u64, wall: Timestamp) -> Self {
        Self { monotonic_ns, wall }
    }

    /// Converts a time on `CLOCK_MONOTONIC` to the wall clock; saturates at the limits of a timestamp.
    pub fn wall(&self, monotonic_ns: u64) -> Timestamp {
        let nanos = i128::from(monotonic_ns) - i128::from(self.monotonic_ns);
        let duration =
            SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }));
        self.wall.checked_add(duration).unwrap_or(if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// Converts a wall-clock time to `CLOCK_MONOTONIC`; 0 for one before the machine started.
    pub fn monotonic_ns(&self, wall: Timestamp) -> u64 {
        let nanos = wall.duration_since(self.wall).as_nanos() + i128::from(self.monotonic_ns);
        u64::try_from(nanos).unwrap_or(if nanos < 0 { 0 } else { u64::MAX })
    }

    /// `CLOCK_MONOTONIC` of the anchor, in ns.
    pub const fn anchored_ns(&self) -> u64 {
        self.monotonic_ns
    }
}

/// `CLOCK_MONOTONIC` now, in ns.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Both parts are non-negative on Linux: the clock starts at boot.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32).as_nanos() as u64
}

/// The present time on both clocks.
pub fn now() -> Moment {
    Moment { wall: Timestamp::now(), monotonic_ns: monotonic_ns() }
}

/// CPU time of this process so far, all threads together, in ns.
pub fn own_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32).as_nanos() as u64
}

/// CPU time of this thread so far, in ns.
pub fn thread_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn goes_both_ways() {
        let anchor = Anchor::at(5_000_000_000, WALL);
        assert_eq!(anchor.wall(6_000_000_001).as_nanosecond(), 1_000_000_001);
        assert_eq!(anchor.wall(4_000_000_000).as_nanosecond(), -1_000_000_000);
        assert_eq!(anchor.monotonic_ns(anchor.wall(123)), 123);
    }

    #[test]
    fn survives_absurd_times() {
        let anchor = Anchor::at(0, Timestamp::MAX);
        assert_eq!(anchor.wall(u64::MAX), Timestamp::MAX);
        assert_eq!(Anchor::at(5, WALL).monotonic_ns(Timestamp::MIN), 0);
    }

    #[test]
    fn reads_the_machine() {
        let anchor = Anchor::now();
        assert!(anchor.anchored_ns() > 0);
        assert!(monotonic_ns() >= anchor.anchored_ns());
    }
}
