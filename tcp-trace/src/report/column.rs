// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a report remembers of one interval, or of several that were merged.

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

/// Sources and destinations remembered of each interval: those with the fewest free ports.
const GROUPS: usize = 4;
/// Listeners remembered of each interval: those in trouble, then the busiest.
const LISTENERS: usize = 8;
/// Cells of a picture of one half of a range.
pub const CELLS: usize = 48;

/// A stretch of time.
#[derive(Clone, Debug)]
pub struct Column {
    /// When it ended.
    pub end: Timestamp,
    /// How long it was.
    pub seconds: f64,
    /// Attempts.
    pub connects: u64,
    /// Of these, ended in something else than a connection.
    pub failed: u64,
    /// Searches that looked at the second half.
    pub second_pass: u64,
    /// Searches of which that is known.
    pub second_pass_known: u64,
    /// Port search, handshake, total, ports visited.
    pub spreads: [Spread; 4],
    /// Minisockets at its end, of all namespaces; `None`: not known.
    pub time_wait: Option<u64>,
    /// Made in it.
    pub time_wait_entered: Option<u64>,
    /// Listeners in trouble.
    pub listeners: Vec<Queue>,
    /// The fullest ranges at its end.
    pub ranges: Vec<Fill>,
    /// What tracing took, as a share of the machine.
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
    /// Whose.
    pub endpoint: Endpoint,
    /// In the fullest of its accept queues, and what each may hold; `None`: nobody listened.
    pub accept: Option<(u64, u64)>,
    /// SYNs and handshakes dropped; `None`: not traced.
    pub dropped: Option<u64>,
}

/// How full a range was.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Whose range.
    pub route: Route,
    /// Which.
    pub range: Range,
    /// Ports taken, of the half searched first and of the other.
    pub taken: [u32; 2],
    /// Connects until the first half is full; `None`: this range has no cliff.
    pub to_cliff: Option<u32>,
    /// For each half, the share taken of each cell: 0 only if none is, 255 only if all are.
    pub cells: [[u8; CELLS]; 2],
}

impl Column {
    /// Of an interval's answer.
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

    /// This one and the next as one: counts are added up, levels are those of its end.
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

    /// Both together.
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

    /// How many values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// The bucket that so large a share of the values is in or below.
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

    /// What is told first.
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

    /// Ports of a cell, those of both halves.
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
