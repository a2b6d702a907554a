// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cost of a search: a fixed time, and a time per candidate, as measured here.

use crate::model::folded::{FoldedCounts, FoldedSum};

/// A search of at most this many candidates is short: nearly all of its time is the fixed part.
const SHORT: u64 = 16;
/// A search of at least this many candidates is long: nearly all of its time is that of the candidates.
const LONG: u64 = 256;

/// Measurements from searches with known time and candidates, to any destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchCost {
    short: Sums,
    long: Sums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    searches: u64,
    candidates: u64,
    ns: u64,
}

impl SearchCost {
    /// Adds the searches of a row: those that found a port in the first pass, and those that did in the second, each by
    /// their average.
    pub fn observe(&mut self, counts: &FoldedCounts) {
        let second = &counts.second_pass_visited;
        self.add(second.known, second.sum, counts.second_pass_search_ns);
        // Searches that found no port visited ports too.
        if counts.exhausted == 0 {
            let visited = &counts.visited;
            let searches = visited.known.saturating_sub(second.known);
            self.add(searches, visited.sum.saturating_sub(second.sum), counts.first_pass_search_ns);
        }
    }

    /// Adds searches with known time and candidates.
    fn add(&mut self, searches: u64, candidates: u64, took: FoldedSum) {
        if searches == 0 || searches != took.known {
            return;
        }
        let sums = match candidates / searches {
            ..=SHORT => &mut self.short,
            LONG.. => &mut self.long,
            _ => return,
        };
        sums.searches = sums.searches.saturating_add(searches);
        sums.candidates = sums.candidates.saturating_add(candidates);
        sums.ns = sums.ns.saturating_add(took.sum);
    }

    /// Time per candidate in ns; `None`: no long search was measured.
    pub fn candidate_ns(&self) -> Option<f64> {
        let (candidates, ns) = self.long.means()?;
        Some(match self.short.means() {
            Some((few, little)) => (ns - little).max(0.0) / (candidates - few),
            // The fixed part is a small part of a long search.
            None => ns / candidates,
        })
    }

    /// Time of a search with this many candidates in ns; `None`: no similar search was measured.
    pub fn search_ns(&self, visited: f64) -> Option<f64> {
        match self.short.means() {
            Some((few, ns)) => match self.candidate_ns() {
                Some(candidate_ns) => Some((ns + candidate_ns * (visited - few)).max(0.0)),
                None => (visited <= SHORT as f64).then_some(ns),
            },
            None => Some(self.candidate_ns()? * visited).filter(|_| visited >= LONG as f64),
        }
    }
}

impl Sums {
    /// Mean candidates and time of a search.
    fn means(&self) -> Option<(f64, f64)> {
        let searches = self.searches as f64;
        (self.searches > 0).then(|| (self.candidates as f64 / searches, self.ns as f64 / searches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::sample::{established, no_port},
        event::Connect,
    };

    fn searched(search_cost: &mut SearchCost, visited: Option<u32>, took_ns: u64, second_pass: bool) {
        let connect = Connect {
            ports_visited: visited,
            port_search_ns: Some(took_ns),
            second_pass: Some(second_pass),
            ..established()
        };
        search_cost.observe(&FoldedCounts::of(&connect));
    }

    #[test]
    fn between_short_and_long_ones() {
        let mut search_cost = SearchCost::default();
        assert_eq!((search_cost.candidate_ns(), search_cost.search_ns(1.0)), (None, None));
        searched(&mut search_cost, None, 5, false);
        searched(&mut search_cost, Some(100), 1, false);
        searched(&mut search_cost, Some(1), 3000, false);
        assert_eq!(
            (search_cost.candidate_ns(), search_cost.search_ns(1.5), search_cost.search_ns(500.0)),
            (None, Some(3000.0), None)
        );
        searched(&mut search_cost, Some(10_001), 2_003_000, true);
        search_cost.observe(&FoldedCounts::of(&no_port()));
        assert_eq!(search_cost.candidate_ns(), Some(200.0));
        assert_eq!((search_cost.search_ns(1.0), search_cost.search_ns(14_001.0)), (Some(3000.0), Some(2_803_000.0)));
    }

    #[test]
    fn a_row_of_both_is_two_prices() {
        let mut counts = FoldedCounts::default();
        for (visited, took_ns, second_pass) in [(1, 3000, false), (10_001, 2_003_000, true), (3, 3400, false)] {
            counts.add(&Connect {
                ports_visited: Some(visited),
                port_search_ns: Some(took_ns),
                second_pass: Some(second_pass),
                ..established()
            });
        }
        let mut search_cost = SearchCost::default();
        search_cost.observe(&counts);
        let candidate_ns = search_cost.candidate_ns().expect("long ones were measured");
        assert!((candidate_ns - 200.0).abs() < 1.0, "{candidate_ns}");
    }

    #[test]
    fn long_ones_say_nothing_of_short_ones() {
        let mut search_cost = SearchCost::default();
        searched(&mut search_cost, Some(14_000), 2_800_000, true);
        assert_eq!((search_cost.search_ns(28_000.0), search_cost.search_ns(2.0)), (Some(5_600_000.0), None));
    }
}
