// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT per network namespace: levels, and rates as differences of totals.

use tcp_trace_common::time_wait::RawTimeWaitTotals;

use crate::model::time_wait::{TimeWaitSnapshot, TimeWaitTotals};

/// Turns totals into differences.
#[derive(Clone, Debug, Default)]
pub struct TimeWaitAggregate {
    start: TimeWaitSnapshot,
    last: TimeWaitSnapshot,
    now: TimeWaitSnapshot,
    in_detail: bool,
}

impl TimeWaitAggregate {
    /// Counting from `start`: empty where the totals begin with the tracing, a first sample where they do not.
    /// `in_detail`: the kernel side looks at segments, and tells what they do from other ends.
    pub fn new(start: TimeWaitSnapshot, in_detail: bool) -> Self {
        Self { last: start.clone(), now: start.clone(), start, in_detail }
    }

    /// Takes the totals that the kernel side keeps.
    pub fn enter(&mut self, netns: u32, raw: &RawTimeWaitTotals) {
        self.observe(netns, TimeWaitTotals::from_kernel(raw, self.in_detail));
    }

    /// Takes the totals of now. A namespace that is gone from them keeps its last ones.
    pub fn observe(&mut self, netns: u32, totals: TimeWaitTotals) {
        self.now.insert(netns, totals);
    }

    /// Ends the interval and answers for it.
    pub fn tick(&mut self) -> TimeWaitSnapshot {
        let interval = difference(&self.now, &self.last);
        self.last.clone_from(&self.now);
        interval
    }

    /// Answers for everything since the start.
    pub fn total(&self) -> TimeWaitSnapshot {
        difference(&self.now, &self.start)
    }
}

fn difference(now: &TimeWaitSnapshot, before: &TimeWaitSnapshot) -> TimeWaitSnapshot {
    let none = TimeWaitTotals::default();
    now.iter().map(|(netns, totals)| (*netns, totals.since(before.get(netns).unwrap_or(&none)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences() {
        let sample = |reused, level| TimeWaitTotals { reused: Some(reused), level: Some(level), ..Default::default() };
        let mut aggregate = TimeWaitAggregate::new([(1, sample(100, 5))].into(), true);
        aggregate.observe(1, sample(103, 6));
        assert_eq!(aggregate.tick()[&1], sample(3, 6));
        assert_eq!(aggregate.tick()[&1], sample(0, 6));
        aggregate.observe(1, sample(104, 2));
        aggregate.observe(2, sample(9, 1));
        assert_eq!(aggregate.tick()[&2], sample(9, 1));
        assert_eq!(aggregate.total()[&1], sample(4, 2));
    }
}
