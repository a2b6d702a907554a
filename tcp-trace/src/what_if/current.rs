// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports that a search visits with the sockets as they are: each connect finds them so, and leaves them so.

use super::{
    random::Random,
    search::{Found, Searches},
};

/// Approximate number of simulated searches.
const SEARCHES: u64 = 400_000;
/// Upper limit of simulated candidates where strides are random, because each candidate is then tested.
const CANDIDATES: u64 = 40_000_000;
/// Minimum number of random starting points.
const WINDOWS: u32 = 32;

/// Averages over searches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Visits {
    /// Mean number of candidates visited.
    pub mean: f64,
    /// Share of searches that went through the second pass.
    pub second_pass: f64,
    /// Share of searches that found no port.
    pub no_port: f64,
}

/// Sums over searches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub searches: u64,
    pub visited: u64,
    second_pass: u64,
    no_port: u64,
}

impl Sums {
    pub fn add(&mut self, found: Found) {
        self.searches += 1;
        self.visited += u64::from(found.visited);
        self.second_pass += u64::from(found.second_pass);
        self.no_port += u64::from(found.candidate.is_none());
    }

    pub fn visits(self) -> Visits {
        let of = |sum: u64| sum as f64 / self.searches.max(1) as f64;
        Visits { mean: of(self.visited), second_pass: of(self.second_pass), no_port: of(self.no_port) }
    }
}

/// Averages of `per_window` searches in each ten seconds. The first of a window starts anywhere, the others start where
/// the last one ended.
pub fn visits(mut searches: Searches, per_window: u32) -> Visits {
    let places = searches.places();
    let windows =
        u32::try_from(SEARCHES / u64::from(per_window.max(1))).unwrap_or(u32::MAX).clamp(WINDOWS, places.max(WINDOWS));
    let mut random = Random::new(u64::from(per_window));
    let mut sums = Sums::default();
    // Starting points are spread evenly over the range, also if the loop ends early.
    for window in spread(windows) {
        searches.begin_at((u64::from(window) * u64::from(places) / u64::from(windows)) as u32);
        for _ in 0..per_window.max(1) {
            sums.add(searches.search(&mut random));
        }
        if searches.has_strides() && sums.visited > CANDIDATES {
            break;
        }
    }
    sums.visits()
}

/// Every number below `count` once, each far from the last.
fn spread(count: u32) -> impl Iterator<Item = u32> {
    let golden = (f64::from(count) * 0.618) as u32;
    let step = (golden.max(1)..).find(|step| super::walk::gcd(*step, count) == 1).unwrap_or(1);
    (0..count).map(move |number| (u64::from(number) * u64::from(step) % u64::from(count)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::ports::range::Range, what_if::walk::Walk};

    fn of(is_free: impl Fn(u16) -> bool, per_window: u32) -> Visits {
        visits(Searches::new(Walk::new(Range::of_namespace((40_000, 40_999)), 0), is_free), per_window)
    }

    #[test]
    fn nothing_is_taken() {
        assert_eq!(of(|_| true, 100), Visits { mean: 1.0, second_pass: 0.0, no_port: 0.0 });
    }

    #[test]
    fn nothing_is_free() {
        assert_eq!(of(|_| false, 3), Visits { mean: 1000.0, second_pass: 1.0, no_port: 1.0 });
    }

    #[test]
    fn the_first_half_is_full() {
        let visits = of(|port| port % 2 == 1, 100);
        assert_eq!((visits.mean, visits.second_pass), (501.0, 1.0));
    }

    #[test]
    fn one_search_begins_anywhere() {
        // 490 of 500 in a row: 10 starts visit one, the others 2 to 491.
        let visits = of(|port| port % 2 == 0 && port >= 40_980, 1);
        assert_eq!(visits.mean, (10 + (2..=491).sum::<u32>()) as f64 / 500.0);
    }

    #[test]
    fn the_next_goes_on_behind_it() {
        // A round is one walk of 491 and then free ports, of which steps of 4.5 pass the 9 that are left; what of the
        // last step goes beyond them shortens the next walk.
        let visits = of(|port| port % 2 == 0 && port >= 40_980, 100_000);
        assert!((130.0..145.0).contains(&visits.mean), "{visits:?}");
    }

    #[test]
    fn each_number_once() {
        let mut all: Vec<_> = spread(97).collect();
        all.sort_unstable();
        assert_eq!(all, (0..97).collect::<Vec<_>>());
    }
}
