// SPDX-License-Identifier: MIT OR Apache-2.0
//! Port searches by source and destination, over a whole run: how many a second, and what they came to.

use jiff::Timestamp;

use super::ports::Route;
use super::top::Top;
use crate::event::{Connect, Detail, SourcePort};
use crate::governor::level::Level;

/// A shorter time has no rate.
pub const LEAST_SECONDS: f64 = 0.5;
/// Routes that are counted; the rarest give way.
const ROUTES: usize = 1024;

/// Searches from one source to one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// All that were told.
    pub searches: u64,
    /// Of these, that it is known how many ports they visited.
    pub known: u64,
    /// Ports that these visited.
    pub visited: u64,
    /// Time in the search of these.
    pub search_ns: u64,
}

/// Counts while each connect is told.
#[derive(Debug)]
pub struct Searches {
    routes: Top<Route, Searched>,
    /// Each connect is told since then; `None`: now they are not.
    told_since: Option<Timestamp>,
    /// For how long each was told before.
    told_seconds: f64,
    /// At times each was not.
    missed_some: bool,
}

impl Searched {
    /// Ports visited on average; `None`: not known, or only of such as are not like the others.
    pub fn mean(&self) -> Option<f64> {
        self.is_whole().then(|| self.visited as f64 / self.known as f64)
    }

    /// Time of a search on average.
    pub fn mean_ns(&self) -> Option<f64> {
        self.is_whole().then(|| self.search_ns as f64 / self.known as f64)
    }

    /// The first after boot may be missing. Where steps are random it is the short ones that are not known.
    fn is_whole(&self) -> bool {
        self.known > 0 && self.known * 20 >= self.searches * 19
    }
}

impl Searches {
    /// From now on.
    pub fn since(begin: Timestamp) -> Self {
        Self { routes: Top::new(ROUTES), told_since: Some(begin), told_seconds: 0.0, missed_some: false }
    }

    /// Takes one attempt.
    pub fn observe(&mut self, connect: &Connect) {
        if !matches!(connect.source_port, Some(SourcePort::Ephemeral | SourcePort::LocalRange)) {
            return;
        }
        let Connect { netns, saddr, daddr, dport, .. } = *connect;
        let searched = self.routes.add(&Route { netns, saddr, daddr, dport }, 1);
        searched.searches += 1;
        if let (Some(visited), Some(search_ns)) = (connect.ports_visited, connect.port_search_ns) {
            searched.known += 1;
            searched.visited += u64::from(visited);
            searched.search_ns = searched.search_ns.saturating_add(search_ns);
        }
    }

    /// From now on each connect is told, or not.
    pub fn change(&mut self, detail: &Detail) {
        let told = detail.after < Level::NoEvents;
        self.told_seconds = self.told_seconds(detail.time);
        self.told_since = told.then_some(detail.time);
        self.missed_some |= !told;
    }

    /// What is known of a route, and its searches a second; `None`: too little was told.
    pub fn of(&self, route: Route, now: Timestamp) -> (Searched, Option<f64>) {
        let found = self.routes.iter().find(|(known, ..)| **known == route);
        let (searched, at_least) =
            found.map_or_else(Default::default, |(_, searched, _, at_least)| (*searched, at_least));
        let seconds = self.told_seconds(now);
        let rate = (seconds >= LEAST_SECONDS && !at_least).then(|| searched.searches as f64 / seconds);
        (searched, rate)
    }

    /// Some connects were not told.
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
    use crate::aggregate::sample::established;

    #[test]
    fn a_rate_of_the_time_in_which_each_is_told() {
        let at = |second| Timestamp::from_second(second).expect("a second");
        let mut searches = Searches::since(at(10));
        let connect = established();
        let route = Route { netns: 1, saddr: connect.saddr, daddr: connect.daddr, dport: connect.dport };
        (0..20).for_each(|_| searches.observe(&connect));
        searches.observe(&Connect { source_port: Some(SourcePort::Bound), ..established() });
        let change =
            |time, before, after| Detail { time, before, after, programs_share: None, agent_share: 0.0, budget: 0.01 };
        searches.change(&change(at(14), Level::NoPortProbes, Level::NoEvents));
        let (searched, rate) = searches.of(route, at(100));
        assert_eq!(
            (searched.searches, searched.mean(), searched.mean_ns(), rate),
            (20, Some(2.0), Some(5000.0), Some(5.0))
        );
        searches.change(&change(at(101), Level::NoEvents, Level::NoPortProbes));
        assert_eq!(searches.of(route, at(107)).1, Some(2.0));
        assert_eq!(searches.of(Route { dport: 1, ..route }, at(107)), (Searched::default(), Some(0.0)));
    }
}
