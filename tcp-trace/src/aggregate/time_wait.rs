// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT by network namespace: levels, and rates as differences of totals.

use tcp_trace_common::time_wait::RawTimeWaitTotals;

use crate::model::time_wait::{TimeWaitSnapshot, TimeWaitTotals};

/// Turns running totals into differences per interval.
#[derive(Clone, Debug, Default)]
pub struct TimeWaitAggregate {
    start: TimeWaitSnapshot,
    last: TimeWaitSnapshot,
    now: TimeWaitSnapshot,
    in_detail: bool,
}

impl TimeWaitAggregate {
    /// Counts from `start`: empty if totals begin with tracing, otherwise a first sample. `in_detail`: the kernel side
    /// traces segments, and so distinguishes their effect from other ends.
    pub fn new(start: TimeWaitSnapshot, in_detail: bool) -> Self {
        Self { last: start.clone(), now: start.clone(), start, in_detail }
    }

    /// Takes the totals that the kernel side keeps, of all namespaces; none: no program sees TIME_WAIT. A missing namespace
    /// was merged into another one (`merged`).
    pub fn enter(&mut self, totals: &[(u32, RawTimeWaitTotals)], merged: &[(u32, u32)]) {
        if totals.is_empty() {
            return;
        }
        let known = |(netns, raw): &(u32, _)| (*netns, TimeWaitTotals::from_kernel(raw, self.in_detail));
        self.now = totals.iter().map(known).collect();
        for (netns, into) in merged {
            for earlier in [&mut self.start, &mut self.last] {
                if let Some(totals) = earlier.remove(netns) {
                    earlier.entry(*into).or_default().add(&totals);
                }
            }
        }
    }

    /// Consumes the present totals. A namespace that is missing from them keeps its last ones.
    pub fn observe(&mut self, netns: u32, totals: TimeWaitTotals) {
        self.now.insert(netns, totals);
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> TimeWaitSnapshot {
        let interval = difference(&self.now, &self.last);
        self.last.clone_from(&self.now);
        interval
    }

    /// The snapshot of everything since the start.
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
    use tcp_trace_common::time_wait::event;

    use super::*;

    #[test]
    fn what_is_kept_of_namespaces_that_are_gone_is_bounded_and_counted_once() {
        let of = |entered| {
            let mut totals = RawTimeWaitTotals::default();
            totals.events[usize::from(event::ENTER)] = entered;
            totals
        };
        let entered = |snapshot: &TimeWaitSnapshot| snapshot.values().filter_map(|totals| totals.entered).sum::<u64>();
        let mut aggregate = TimeWaitAggregate::default();
        let mut merged = 0;
        for generation in 0..100_u32 {
            // Ten come, and ten of before are kept as one from now on.
            let news = (1..=10).map(|number| (100 * generation + number, of(3)));
            let gone = (1..=10).filter(|_| generation > 0).map(|number| (100 * (generation - 1) + number, 0));
            let rest = (generation > 0).then(|| {
                merged += 30;
                (0, of(merged))
            });
            aggregate.enter(&news.chain(rest).collect::<Vec<_>>(), &gone.collect::<Vec<_>>());
            let interval = aggregate.tick();
            assert_eq!((entered(&interval), interval.len() <= 11), (30, true), "{generation}");
        }
        assert_eq!(entered(&aggregate.total()), 3_000);
        assert_eq!(aggregate.now.len() + aggregate.last.len() + aggregate.start.len(), 22);
        aggregate.enter(&[], &[]);
        assert_eq!(entered(&aggregate.total()), 3_000, "where no program sees it there are no totals to take");
    }

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
