// SPDX-License-Identifier: MIT OR Apache-2.0
//! What came before, in memory: the blocks of the last intervals, as many as time and room allow.

use std::collections::VecDeque;
use std::time::Duration;

use super::before::Before;
use crate::road::Moment;

/// How much of what came before is kept.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// At least for this long.
    pub time: Duration,
    /// But not more bytes.
    pub bytes: usize,
}

/// One interval.
#[derive(Debug)]
struct Interval {
    begin: Moment,
    before: Before,
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

/// Intervals, the oldest first.
#[derive(Debug)]
pub struct Ring {
    reach: Reach,
    intervals: VecDeque<Interval>,
    bytes: usize,
}

impl Ring {
    /// From this moment on.
    pub fn new(reach: Reach, begin: Moment) -> Self {
        let mut ring = Self { reach, intervals: VecDeque::new(), bytes: 0 };
        ring.begin(begin, Before::default());
        ring
    }

    /// How far back it reaches.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Adds a sealed block to the interval that lasts.
    pub fn push(&mut self, block: Vec<u8>) {
        let interval = self.intervals.back_mut().expect("one lasts");
        interval.bytes += block.len();
        self.bytes += block.len();
        interval.blocks.push(block);
        while self.bytes > self.reach.bytes && self.intervals.len() > 1 {
            self.forget();
        }
    }

    /// Ends the interval and forgets those that are too old.
    pub fn tick(&mut self, now: Moment, before: Before) {
        let reaches = |interval: &Interval| {
            u128::from(now.monotonic_ns.saturating_sub(interval.begin.monotonic_ns)) >= self.reach.time.as_nanos()
        };
        let old = self.intervals.iter().skip(1).filter(|interval| reaches(interval)).count();
        (0..old).for_each(|_| self.forget());
        self.begin(now, before);
    }

    fn begin(&mut self, begin: Moment, before: Before) {
        let bytes = before.stock.len() + before.totals.len();
        self.bytes += bytes;
        self.intervals.push_back(Interval { begin, before, blocks: Vec::new(), bytes });
    }

    fn forget(&mut self) {
        if let Some(oldest) = self.intervals.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }

    /// When it reaches back to, what had been counted then, and all blocks since.
    pub fn into_parts(self) -> (Moment, Before, impl Iterator<Item = Vec<u8>>) {
        let mut intervals = self.intervals.into_iter();
        let oldest = intervals.next().expect("one lasts");
        (oldest.begin, oldest.before, oldest.blocks.into_iter().chain(intervals.flat_map(|interval| interval.blocks)))
    }
}
