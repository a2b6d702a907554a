// SPDX-License-Identifier: MIT OR Apache-2.0
//! The data that a report keeps of one interval, or of several merged ones.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::{
    aggregate::{
        distribution::{Bucket, Distribution},
        listen::{Endpoint, Listener},
        ports::{Group, Route, range::Range},
    },
    event::Outcome,
    summarize::summary::Summary,
};

/// Number of sources and destinations that are kept per interval: those with the fewest free ports.
const GROUPS: usize = 4;
/// Number of listeners that are kept per interval: those with drops, then the busiest.
const LISTENERS: usize = 8;
/// Number of cells in a picture of one half of a range.
pub const CELLS: usize = 48;

/// An interval, or several merged ones.
#[derive(Clone, Debug)]
pub struct Column {
    /// End of the interval.
    pub end: Timestamp,
    /// Length in seconds.
    pub seconds: f64,
    /// Number of attempts.
    pub connects: u64,
    /// Attempts that ended without a connection.
    pub failed: u64,
    /// Searches that went through the second half.
    pub second_pass: u64,
    /// Searches for which `second_pass` is known.
    pub second_pass_known: u64,
    /// Distributions: port search, handshake, total, ports visited.
    pub spreads: [Spread; 4],
    /// Minisockets of all namespaces at the end; `None`: unknown.
    pub time_wait: Option<u64>,
    /// Minisockets created in the interval.
    pub time_wait_entered: Option<u64>,
    /// Listeners with drops, or with the longest queues.
    pub listeners: Vec<Queue>,
    /// The fullest ranges at the end.
    pub ranges: Vec<Fill>,
    /// Cost of tracing as a share of the machine.
    pub cost: Option<f64>,
}

/// A distribution that can be merged.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// Power-of-two buckets, without gaps.
    pub buckets: Vec<Bucket>,
    /// The largest value.
    pub max: Option<u64>,
}

/// The queues of a listener.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The listener.
    pub endpoint: Endpoint,
    /// The longest of its accept queues and its limit; `None`: there was no listener.
    pub accept: Option<(u64, u64)>,
    /// SYNs and handshakes that it dropped; `None`: not traced.
    pub dropped: Option<u64>,
}

/// Fill of a range.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Source and destination.
    pub route: Route,
    /// The range.
    pub range: Range,
    /// Taken ports, in the half that is searched first and in the other.
    pub taken: [u32; 2],
    /// Connects until the first half is full; `None`: this range has no cliff.
    pub to_cliff: Option<u32>,
    /// For each half, the taken share of each cell: 0 only if none is taken, 255 only if all are.
    pub cells: [[u8; CELLS]; 2],
}

impl Column {
    /// The data of an interval's summary.
    pub fn of(summary: &Summary) -> Self {
        let observed = &summary.observed;
        let connect = &observed.connect;
        let connected = connect.ended(Outcome::Established) + connect.ended(Outcome::Pending);
        let spreads = [&connect.port_search, &connect.handshake, &connect.total, &connect.ports_visited];
        let mut listeners: Vec<_> = observed.listen.listeners.iter().map(Queue::of).collect();
        listeners.sort_by_key(|queue| Reverse(queue.weight()));
        listeners.truncate(LISTENERS);
        let sum = |of: fn(&crate::model::time_wait::TimeWaitTotals) -> Option<u64>| {
            let all = observed.time_wait.values().map(of).sum::<Option<u64>>();
            all.filter(|_| !observed.time_wait.is_empty())
        };
        Self {
            end: summary.time,
            seconds: observed.seconds,
            connects: connect.connects,
            failed: connect.connects - connect.outcome_unknown - connected,
            second_pass: connect.second_pass,
            second_pass_known: connect.second_pass_known,
            spreads: spreads.map(Spread::of),
            time_wait: sum(|totals| totals.level),
            time_wait_entered: sum(|totals| totals.entered),
            listeners,
            ranges: observed.ports.groups.iter().take(GROUPS).map(Fill::of).collect(),
            cost: summary.ledger.share(observed.seconds),
        }
    }

    /// Merges this interval with the next one: counts are added, levels are those of the end.
    pub fn with(self, next: Self) -> Self {
        let cost = match (self.cost, next.cost) {
            (Some(a), Some(b)) => Some((a * self.seconds + b * next.seconds) / (self.seconds + next.seconds)),
            (a, b) => a.or(b),
        };
        let mut listeners = next.listeners;
        for queue in self.listeners {
            match listeners.iter_mut().find(|other| other.endpoint == queue.endpoint) {
                Some(other) => other.absorb(&queue),
                None => listeners.push(queue),
            }
        }
        listeners.sort_by_key(|queue| Reverse(queue.weight()));
        listeners.truncate(LISTENERS);
        let [a, b, c, d] = self.spreads;
        let [e, f, g, h] = next.spreads;
        Self {
            end: next.end,
            seconds: self.seconds + next.seconds,
            connects: self.connects + next.connects,
            failed: self.failed + next.failed,
            second_pass: self.second_pass + next.second_pass,
            second_pass_known: self.second_pass_known + next.second_pass_known,
            spreads: [a.with(&e), b.with(&f), c.with(&g), d.with(&h)],
            time_wait: next.time_wait.or(self.time_wait),
            time_wait_entered: plus(self.time_wait_entered, next.time_wait_entered),
            listeners,
            ranges: if next.ranges.is_empty() { self.ranges } else { next.ranges },
            cost,
        }
    }
}

fn plus(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.zip(b).map(|(a, b)| a + b).or(a).or(b)
}

impl Spread {
    fn of(distribution: &Distribution) -> Self {
        Self { buckets: distribution.buckets.clone(), max: distribution.max }
    }

    /// Merges two distributions.
    pub fn with(&self, more: &Self) -> Self {
        let mut buckets: Vec<Bucket> = self.buckets.clone();
        for bucket in &more.buckets {
            match buckets.iter_mut().find(|other| other.low == bucket.low) {
                Some(other) => other.count += bucket.count,
                None => buckets.push(*bucket),
            }
        }
        buckets.sort_by_key(|bucket| bucket.low);
        Self { buckets, max: self.max.max(more.max) }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// The bucket of the quantile `share`.
    pub fn quantile(&self, share: f64) -> Option<Bucket> {
        let rank = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        self.buckets.iter().copied().find(|bucket| {
            below += bucket.count;
            below >= rank
        })
    }
}

impl Queue {
    fn of(listener: &Listener) -> Self {
        Self {
            endpoint: listener.endpoint,
            accept: listener.now.map(|now| (now.fullest, now.limit)),
            dropped: listener.counts.map(|counts| counts.dropped()),
        }
    }

    fn absorb(&mut self, earlier: &Self) {
        self.accept = self.accept.max(earlier.accept);
        self.dropped = plus(self.dropped, earlier.dropped);
    }

    /// Sort key: trouble first.
    fn weight(&self) -> (u64, u64) {
        (self.dropped.unwrap_or(0), self.accept.map_or(0, |(queued, _)| queued))
    }
}

impl Fill {
    fn of(group: &Group) -> Self {
        let taken = group.held.taken();
        Self {
            route: group.route,
            range: group.range,
            taken: [taken.first, taken.second],
            to_cliff: group.held.to_cliff(group.range),
            cells: cells(group),
        }
    }

    /// Index of the cell of a port; each cell has ports of both halves.
    pub fn cell_of(range: Range, port: u16) -> usize {
        usize::from(port.saturating_sub(range.low)) * CELLS / range.ports().max(1) as usize
    }
}

fn cells(group: &Group) -> [[u8; CELLS]; 2] {
    let range = group.range;
    let (mut taken, mut all) = ([[0_u32; CELLS]; 2], [[0_u32; CELLS]; 2]);
    for port in range.low..=range.high {
        let (half, cell) = (usize::from(!range.is_first(port)), Fill::cell_of(range, port));
        all[half][cell] += 1;
        taken[half][cell] += u32::from(group.taken.contains(port));
    }
    std::array::from_fn(|half| {
        std::array::from_fn(|cell| match (taken[half][cell], all[half][cell]) {
            (0, _) => 0,
            (some, all) if some == all => 255,
            (some, all) => (1 + some * 253 / all).min(254) as u8,
        })
    })
}
