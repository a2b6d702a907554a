// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a search costs: a time that each has, and one for each candidate, as they were measured here.

/// A search of at most so many candidates is a short one: next to all of its time is that which each has.
const SHORT: u32 = 16;
/// One of this many is a long one: next to all of its time is that of the candidates.
const LONG: u32 = 256;

/// From searches whose time and candidates are both known, wherever they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    short: Sums,
    long: Sums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    searches: u64,
    candidates: u64,
    ns: u64,
}

impl Price {
    /// Takes one search.
    pub fn add(&mut self, visited: Option<u32>, search_ns: Option<u64>) {
        let (Some(visited), Some(ns)) = (visited, search_ns) else { return };
        let sums = match visited {
            ..=SHORT => &mut self.short,
            LONG.. => &mut self.long,
            _ => return,
        };
        sums.searches += 1;
        sums.candidates += u64::from(visited);
        sums.ns = sums.ns.saturating_add(ns);
    }

    /// A candidate more; `None`: no long search was measured.
    pub fn candidate_ns(&self) -> Option<f64> {
        let (candidates, ns) = self.long.means()?;
        Some(match self.short.means() {
            Some((few, little)) => (ns - little).max(0.0) / (candidates - few),
            // What each search has is a small part of a long one.
            None => ns / candidates,
        })
    }

    /// A search of so many candidates; `None`: none like it was measured.
    pub fn search_ns(&self, visited: f64) -> Option<f64> {
        match self.short.means() {
            Some((few, ns)) => match self.candidate_ns() {
                Some(candidate_ns) => Some((ns + candidate_ns * (visited - few)).max(0.0)),
                None => (visited <= f64::from(SHORT)).then_some(ns),
            },
            None => Some(self.candidate_ns()? * visited).filter(|_| visited >= f64::from(LONG)),
        }
    }
}

impl Sums {
    /// Candidates and time of a search.
    fn means(&self) -> Option<(f64, f64)> {
        let searches = self.searches as f64;
        (self.searches > 0).then(|| (self.candidates as f64 / searches, self.ns as f64 / searches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_short_and_long_ones() {
        let mut price = Price::default();
        assert_eq!((price.candidate_ns(), price.search_ns(1.0)), (None, None));
        price.add(None, Some(5));
        price.add(Some(100), Some(1));
        price.add(Some(1), Some(3000));
        assert_eq!((price.candidate_ns(), price.search_ns(1.5), price.search_ns(500.0)), (None, Some(3000.0), None));
        price.add(Some(10_001), Some(2_003_000));
        assert_eq!(price.candidate_ns(), Some(200.0));
        assert_eq!((price.search_ns(1.0), price.search_ns(14_001.0)), (Some(3000.0), Some(2_803_000.0)));
    }

    #[test]
    fn long_ones_say_nothing_of_short_ones() {
        let mut price = Price::default();
        price.add(Some(14_000), Some(2_800_000));
        assert_eq!((price.search_ns(28_000.0), price.search_ns(2.0)), (Some(5_600_000.0), None));
    }
}
