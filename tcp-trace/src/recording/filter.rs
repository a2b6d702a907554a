// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters of a replay, as the kernel side would have applied them.

use std::collections::BTreeMap;

use tcp_trace_common::{
    config::{Config, filter},
    connect_rows::{FIRST_OF_PORTS, FIRST_OF_TIMES},
    folded::{BUCKETS, bucket},
};

use crate::{
    event::{Comm, Connect, Outcome},
    governor::CounterSnapshot,
    model::{
        folded::{Folded, FoldedCounts, FoldedPhase, FoldedRow, FoldedSpread, SPREAD_BUCKETS},
        scope::Scope,
    },
};

/// Filters of a replay, and counts of what they removed.
#[derive(Debug)]
pub struct Filter {
    config: Config,
    scope: Scope,
    /// Whether attempts are counted by rows, not by events.
    has_rows: bool,
    /// Number of removed attempts with an event.
    left_out: u64,
    /// Number of removed attempts in rows.
    rows_left_out: u64,
    phases: [Phase; 4],
}

/// One phase of the attempts that pass.
#[derive(Debug)]
struct Phase {
    /// Smaller powers of two are counted with this one, in rows.
    least: u32,
    /// Events whose rows are still to come: count per fine bucket, by powers of two.
    held: BTreeMap<usize, BTreeMap<usize, u64>>,
    max: u64,
}

impl Filter {
    /// The filters of a command line; `has_rows` as in the session block.
    pub fn of(config: &Config, has_rows: bool) -> Self {
        Self {
            config: *config,
            scope: Scope::of(config),
            has_rows,
            left_out: 0,
            rows_left_out: 0,
            // The ports visited are the last.
            phases: [FIRST_OF_TIMES, FIRST_OF_TIMES, FIRST_OF_TIMES, FIRST_OF_PORTS].map(|least| Phase {
                least,
                held: BTreeMap::new(),
                max: 0,
            }),
        }
    }

    /// Whether any filter is set.
    pub fn narrows(&self) -> bool {
        self.config.filters != 0
    }

    /// Whether an attempt passes; counts those that do not.
    pub fn passes(&mut self, connect: &Connect) -> bool {
        let passes = self.takes(&FoldedRow { counts: FoldedCounts::default(), ..FoldedRow::of(connect) });
        self.left_out += u64::from(!passes);
        if passes && self.has_rows && self.narrows() && connect.outcome != Outcome::Pending {
            let values =
                [connect.port_search_ns, connect.handshake_ns, connect.total_ns, connect.ports_visited.map(u64::from)];
            for (phase, value) in self.phases.iter_mut().zip(values) {
                value.into_iter().for_each(|value| phase.event(value));
            }
        }
        passes
    }

    fn takes(&self, row: &FoldedRow) -> bool {
        let Self { config, scope, .. } = self;
        let asks = |bit: u32| config.filters & bit != 0;
        (!asks(filter::TGID) || config.tgid == row.pid)
            && (!asks(filter::UID) || config.uid == row.uid)
            && (!asks(filter::COMM) || Comm::from_kernel(&config.comm) == row.comm)
            && (!asks(filter::NETNS) || config.netns == row.netns)
            && scope.contains(row.daddr, row.dport)
    }

    /// Subtracts removed attempts from accounts and rows, so that the ledger balances.
    pub fn leave_out(&mut self, counters: &mut CounterSnapshot) {
        if !self.narrows() {
            return;
        }
        if let Some(folded) = counters.folded.as_mut().filter(|_| self.has_rows) {
            self.leave_out_rows(folded);
        }
        let counts = &mut counters.counts;
        counts.made = counts.made.saturating_sub(self.left_out.max(self.rows_left_out));
        // Removed attempts in rows that came without an event.
        let mut rest = self.rows_left_out.saturating_sub(self.left_out);
        for count in [&mut counts.summed, &mut counts.shed, &mut counts.ring_full] {
            let less = rest.min(*count);
            *count -= less;
            rest -= less;
        }
    }

    fn leave_out_rows(&mut self, folded: &mut Folded) {
        let before = attempts(folded);
        folded.rows.retain(|row| self.takes(row));
        // Attempts without a row cannot be filtered.
        folded.other = FoldedCounts::default();
        self.rows_left_out += before - attempts(folded);
        let spreads: [fn(&FoldedCounts) -> &FoldedSpread; 4] =
            [|of| &of.search_ns, |of| &of.handshake_ns, |of| &of.total_ns, |of| &of.visited];
        for ((phase, of), folded_phase) in self.phases.iter_mut().zip(spreads).zip(&mut folded.phases) {
            *folded_phase = phase.folded(folded.rows.iter().map(|row| of(&row.counts)));
        }
    }
}

fn attempts(folded: &Folded) -> u64 {
    let rows = folded.rows.iter().map(|row| row.counts.attempts());
    rows.chain([folded.other.attempts()]).fold(0, u64::saturating_add)
}

impl Phase {
    fn event(&mut self, value: u64) {
        let power = value.max(1).ilog2().max(self.least).min(SPREAD_BUCKETS as u32 - 1) as usize;
        *self.held.entry(power).or_default().entry(bucket(value)).or_default() += 1;
    }

    /// The distribution: exact values of events. For other attempts in rows only the power of two is known, and they
    /// are spread over it.
    fn folded<'a>(&mut self, rows: impl Iterator<Item = &'a FoldedSpread>) -> FoldedPhase {
        let mut counted = [0_u64; SPREAD_BUCKETS];
        for spread in rows {
            self.max = self.max.max(spread.max);
            for (sum, count) in counted.iter_mut().zip(&spread.buckets) {
                *sum += u64::from(*count);
            }
        }
        let mut buckets = vec![0; BUCKETS];
        for (power, mut rest) in counted.into_iter().enumerate() {
            while rest > 0
                && let Some(mut event) = self.held.get_mut(&power).and_then(BTreeMap::first_entry)
            {
                let taken = rest.min(*event.get());
                buckets[*event.key()] += taken;
                rest -= taken;
                *event.get_mut() -= taken;
                if *event.get() == 0 {
                    event.remove();
                }
            }
            for step in 0..STEPS {
                let low = (1_u64 << power) + ((step << power) / STEPS);
                buckets[bucket(low)] += rest / STEPS + u64::from(step < rest % STEPS);
            }
        }
        FoldedPhase { buckets, max: self.max }
    }
}

/// Fine buckets per power of two.
const STEPS: u64 = 32;

#[cfg(test)]
mod tests {
    use tcp_trace_common::config::Config;

    use super::*;
    use crate::{
        aggregate::sample::{established, second_pass},
        model::accounts::Counts,
    };

    fn to_port(port: u16) -> Filter {
        Filter::of(&Config { filters: filter::DPORT, dport: port, ..Config::EMPTY }, true)
    }

    fn counters(connects: &[Connect], counts: Counts) -> CounterSnapshot {
        let rows = connects.iter().map(FoldedRow::of).collect();
        CounterSnapshot { folded: Some(Folded { rows, ..Folded::default() }), counts, ..CounterSnapshot::untraced() }
    }

    #[test]
    fn rows_pass_as_events_do_and_the_books_balance() {
        let ours = established();
        let other = Connect { dport: 80, ..established() };
        let mut filter = to_port(ours.dport);
        assert!(filter.passes(&ours) && !filter.passes(&other));
        // One of each came with an event; the others are only in rows.
        let counts = Counts { made: 5, summed: 2, shed: 1, ..Counts::default() };
        let mut counters = counters(&[ours.clone(), ours.clone(), ours, other.clone(), other], counts);
        filter.leave_out(&mut counters);
        let folded = counters.folded.expect("rows");
        assert_eq!(folded.rows.len(), 3);
        assert_eq!((counters.counts.made, counters.counts.summed, counters.counts.shed), (3, 1, 1));
        assert_eq!(folded.phases[0].buckets.iter().sum::<u64>(), 3);
        // The value of the event stays in its bucket.
        assert!(folded.phases[0].buckets[bucket(5_000)] >= 1);
    }

    #[test]
    fn an_event_counts_with_its_row() {
        let slow = second_pass();
        let mut filter = to_port(slow.dport);
        assert!(filter.passes(&slow));
        let mut phases = Vec::new();
        for rows in [&[][..], std::slice::from_ref(&slow), std::slice::from_ref(&slow)] {
            let mut counters = counters(rows, Counts::default());
            filter.leave_out(&mut counters);
            phases.push(counters.folded.expect("rows").phases[0].buckets.iter().sum::<u64>());
        }
        assert_eq!(phases, [0, 1, 1]);
    }
}
