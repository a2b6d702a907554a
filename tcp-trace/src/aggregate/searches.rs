// SPDX-License-Identifier: MIT OR Apache-2.0
//! Port searches by destination over a whole run: their rate, ports visited and time.

use jiff::Timestamp;

use super::{tally::Destination, top::Top};
use crate::{
    event::{Detail, level::Level},
    model::folded::FoldedRow,
};

/// A shorter time yields no rate.
pub const LEAST_SECONDS: f64 = 0.5;
/// Number of destinations that are counted; the rarest are evicted.
const DESTINATIONS: usize = 1024;

/// Searches towards one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Number of counted searches.
    pub searches: u64,
    /// Searches whose number of visited ports is known.
    pub known: u64,
    /// Sum of the ports visited by `known` searches.
    pub visited: u64,
    /// Searches whose time is known.
    pub timed: u64,
    /// Sum of the time of `timed` searches, in ns.
    pub search_ns: u64,
}

/// Counts each search; for recordings without rows, only while each connect is reported.
#[derive(Debug)]
pub struct Searches {
    destinations: Top<Destination, Searched>,
    has_rows: bool,
    /// Since when each connect is reported; `None`: not every connect is reported now.
    told_since: Option<Timestamp>,
    /// How long each connect was reported before that, in seconds.
    told_seconds: f64,
    /// Whether some connects were not reported at times.
    missed_some: bool,
}

impl Searched {
    /// Mean number of ports visited; `None`: unknown, or known only for searches that are not representative.
    pub fn mean(&self) -> Option<f64> {
        self.is_whole().then(|| self.visited as f64 / self.known as f64)
    }

    /// Mean time of a search in ns.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.is_whole() && self.timed > 0).then(|| self.search_ns as f64 / self.timed as f64)
    }

    /// Whether the known searches are representative. The first one after boot may be missing; with random steps the
    /// short ones are unknown.
    fn is_whole(&self) -> bool {
        self.known > 0 && self.known * 20 >= self.searches * 19
    }
}

impl Searches {
    /// Counts from `begin` on. `has_rows`: each search is in a row, whether it is reported or not.
    pub fn since(begin: Timestamp, has_rows: bool) -> Self {
        let destinations = Top::new(DESTINATIONS);
        Self { destinations, has_rows, told_since: Some(begin), told_seconds: 0.0, missed_some: false }
    }

    /// Consumes a row of attempts.
    pub fn observe(&mut self, row: &FoldedRow) {
        let counts = &row.counts;
        let searches = counts.searches();
        if searches == 0 {
            return;
        }
        let destination = Destination { netns: row.netns, daddr: row.daddr, dport: row.dport };
        let searched = self.destinations.add(&destination, searches);
        searched.searches = searched.searches.saturating_add(searches);
        searched.known = searched.known.saturating_add(counts.visited.known);
        searched.visited = searched.visited.saturating_add(counts.visited.sum);
        searched.timed = searched.timed.saturating_add(counts.search_ns.known);
        searched.search_ns = searched.search_ns.saturating_add(counts.search_ns.sum);
    }

    /// Notes a change of detail: each connect is reported from now on, or not.
    pub fn change(&mut self, detail: &Detail) {
        if self.has_rows {
            return;
        }
        let told = detail.after < Level::NoEvents;
        self.told_seconds = self.told_seconds(detail.time);
        self.told_since = told.then_some(detail.time);
        self.missed_some |= !told;
    }

    /// Searches towards a destination, and their rate per second; `None`: too little is known.
    pub fn of(&self, destination: Destination, now: Timestamp) -> (Searched, Option<f64>) {
        let found = self.destinations.iter().find(|(known, ..)| **known == destination);
        let (searched, at_least) =
            found.map_or_else(Default::default, |(_, searched, _, at_least)| (*searched, at_least));
        let seconds = self.told_seconds(now);
        let rate = (seconds >= LEAST_SECONDS && !at_least).then(|| searched.searches as f64 / seconds);
        (searched, rate)
    }

    /// Whether some connects were not reported.
    pub fn missed_some(&self) -> bool {
        self.missed_some
    }

    fn told_seconds(&self, now: Timestamp) -> f64 {
        let last = self.told_since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
        self.told_seconds + last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::sample::established,
        event::{Connect, SourcePort},
    };

    #[test]
    fn a_rate_of_the_time_in_which_each_is_told() {
        let at = |second| Timestamp::from_second(second).expect("a second");
        let mut searches = Searches::since(at(10), false);
        let connect = established();
        let to = Destination { netns: 1, daddr: connect.daddr, dport: connect.dport };
        (0..20).for_each(|_| searches.observe(&FoldedRow::of(&connect)));
        let bound = Connect {
            source_port: Some(SourcePort::Bound),
            port_search_ns: None,
            ports_visited: None,
            second_pass: None,
            ..connect
        };
        searches.observe(&FoldedRow::of(&bound));
        let change =
            |time, before, after| Detail { time, before, after, programs_share: None, agent_share: 0.0, budget: 0.01 };
        searches.change(&change(at(14), Level::NoPortProbes, Level::NoEvents));
        let (searched, rate) = searches.of(to, at(100));
        assert_eq!(
            (searched.searches, searched.mean(), searched.mean_ns(), rate),
            (20, Some(2.0), Some(5000.0), Some(5.0))
        );
        searches.change(&change(at(101), Level::NoEvents, Level::NoPortProbes));
        assert_eq!(searches.of(to, at(107)).1, Some(2.0));
        assert_eq!(searches.of(Destination { dport: 1, ..to }, at(107)), (Searched::default(), Some(0.0)));
    }

    #[test]
    fn a_rate_of_all_the_time_where_each_is_in_a_row() {
        let at = |second| Timestamp::from_second(second).expect("a second");
        let mut searches = Searches::since(at(10), true);
        let connect = established();
        let mut row = FoldedRow::of(&connect);
        (0..29).for_each(|_| row.counts.add(&connect));
        searches.observe(&row);
        searches.change(&Detail {
            time: at(14),
            before: Level::Full,
            after: Level::NoEvents,
            programs_share: None,
            agent_share: 0.0,
            budget: 0.01,
        });
        let to = Destination { netns: 1, daddr: connect.daddr, dport: connect.dport };
        assert_eq!((searches.of(to, at(20)).1, searches.missed_some()), (Some(3.0), false));
    }
}
