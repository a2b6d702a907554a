// SPDX-License-Identifier: MIT OR Apache-2.0
//! What came before, in memory: the blocks of the last intervals, as many as time and room allow.

use std::{collections::VecDeque, time::Duration};

use super::baseline::Baseline;
use crate::clock::Moment;

/// How much of what came before is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// At least for this long.
    pub time: Duration,
    /// But not more bytes.
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

/// Intervals, the oldest first.
#[derive(Debug)]
pub struct Ring {
    retention: Retention,
    intervals: VecDeque<Interval>,
    bytes: usize,
    /// Nothing is too old any more.
    held: bool,
}

impl Ring {
    /// From this moment on.
    pub fn new(retention: Retention, begin: Moment) -> Self {
        let mut ring = Self { retention, intervals: VecDeque::new(), bytes: 0, held: false };
        ring.begin(begin, Baseline::default());
        ring
    }

    /// What it holds is to be written: from now on only room makes it forget.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Adds a sealed block to the interval that lasts.
    pub fn push(&mut self, block: Vec<u8>) {
        let interval = self.intervals.back_mut().expect("one lasts");
        interval.bytes += block.len();
        self.bytes += block.len();
        interval.blocks.push(block);
        while self.bytes > self.retention.bytes && self.intervals.len() > 1 {
            self.forget();
        }
    }

    /// Ends the interval and forgets those that are too old.
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

    /// When it reaches back to, what had been counted then, and all blocks since.
    pub fn parts(&self) -> (Moment, &Baseline, impl Iterator<Item = &[u8]>) {
        let oldest = self.intervals.front().expect("one lasts");
        let blocks = self.intervals.iter().flat_map(|interval| &interval.blocks).map(Vec::as_slice);
        (oldest.begin, &oldest.before, blocks)
    }
}
