// SPDX-License-Identifier: MIT OR Apache-2.0
//! History in memory: the blocks of the last intervals, within limits on time and memory.

use std::{collections::VecDeque, time::Duration};

use super::baseline::Baseline;
use crate::clock::Moment;

/// Limits of the history.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Minimum length of the history.
    pub time: Duration,
    /// Maximum size in bytes, which takes precedence.
    pub bytes: usize,
}

/// One interval.
#[derive(Debug)]
struct Interval {
    begin: Moment,
    before: Baseline,
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

/// Intervals, oldest first.
#[derive(Debug)]
pub struct Ring {
    retention: Retention,
    intervals: VecDeque<Interval>,
    bytes: usize,
    /// Whether age no longer removes intervals.
    held: bool,
}

impl Ring {
    /// Starts at `begin`.
    pub fn new(retention: Retention, begin: Moment) -> Self {
        let mut ring = Self { retention, intervals: VecDeque::new(), bytes: 0, held: false };
        ring.begin(begin, Baseline::default());
        ring
    }

    /// Keeps the history until it is written: only the size limit removes intervals from now on.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Adds a sealed block to the current interval.
    pub fn push(&mut self, block: Vec<u8>) {
        let interval = self.intervals.back_mut().expect("one lasts");
        interval.bytes += block.len();
        self.bytes += block.len();
        interval.blocks.push(block);
        while self.bytes > self.retention.bytes && self.intervals.len() > 1 {
            self.forget();
        }
    }

    /// Ends the interval and removes intervals that are too old.
    pub fn tick(&mut self, now: Moment, before: Baseline) {
        let reaches = |interval: &Interval| {
            u128::from(now.monotonic_ns.saturating_sub(interval.begin.monotonic_ns)) >= self.retention.time.as_nanos()
        };
        let old =
            if self.held { 0 } else { self.intervals.iter().skip(1).filter(|interval| reaches(interval)).count() };
        (0..old).for_each(|_| self.forget());
        self.begin(now, before);
    }

    fn begin(&mut self, begin: Moment, before: Baseline) {
        let bytes = before.counters.len() + before.totals.len();
        self.bytes += bytes;
        self.intervals.push_back(Interval { begin, before, blocks: Vec::new(), bytes });
    }

    fn forget(&mut self) {
        if let Some(oldest) = self.intervals.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }

    /// Start of the history, counts at that time, and all blocks since.
    pub fn parts(&self) -> (Moment, &Baseline, impl Iterator<Item = &[u8]>) {
        let oldest = self.intervals.front().expect("one lasts");
        let blocks = self.intervals.iter().flat_map(|interval| &interval.blocks).map(Vec::as_slice);
        (oldest.begin, &oldest.before, blocks)
    }
}
