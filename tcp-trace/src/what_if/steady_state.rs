// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports that a search visits after every present connection has been replaced: the number stays the same, connections
//! close in random order, and each close is followed by a connect. TIME_WAIT ends in the order of its start.

use std::collections::VecDeque;

use super::{
    current::{Sums, Visits},
    random::Random,
    search::Searches,
};

/// Number of replacements of each connection before counting starts: two in a thousand are then still original.
const TURNS: u32 = 6;
/// Number of counted connects.
const COUNTED: u32 = 60_000;
/// Upper limit of candidates where strides are random, because each candidate is then tested.
const CANDIDATES: u64 = 60_000_000;

/// Number of ports in use at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Ports of connections.
    pub live: u32,
    /// Ports in TIME_WAIT that cannot be reused.
    pub time_wait: u32,
}

/// Averages of `per_window` searches in each ten seconds, in a range that is free except for ports that no connect can
/// use.
pub fn visits(mut searches: Searches, crowd: Crowd, per_window: u32) -> Visits {
    let mut random = Random::new(u64::from(crowd.live) << 32 | u64::from(per_window));
    let mut live: Vec<(u32, bool)> = Vec::with_capacity(crowd.live as usize + 1);
    let mut time_wait = VecDeque::with_capacity(crowd.time_wait as usize + 1);
    let mut sums = Sums::default();
    let settling = (crowd.live + crowd.time_wait) * TURNS;
    let mut left_in_window = 0;
    let mut looked_at = 0;
    for connect in 0..settling + COUNTED {
        if left_in_window == 0 {
            left_in_window = per_window.max(1);
            searches.begin_at(random.below(searches.places()));
        }
        left_in_window -= 1;
        // Makes room for the next connection.
        if !live.is_empty() && live.len() >= crowd.live as usize {
            let closed = live.swap_remove(random.below(live.len() as u32) as usize);
            rest(&mut searches, &mut time_wait, closed, crowd);
        }
        let found = searches.search(&mut random);
        if connect >= settling {
            sums.add(found);
        }
        looked_at += u64::from(found.visited);
        if searches.has_strides() && looked_at > CANDIDATES && sums.searches > 100 {
            break;
        }
        let Some(place) = found.candidate else { continue };
        searches.take(place);
        match crowd.live {
            0 => rest(&mut searches, &mut time_wait, place, crowd),
            _ => live.push(place),
        }
    }
    sums.visits()
}

/// Handles what a closed connection leaves behind, and what ends meanwhile.
fn rest(searches: &mut Searches, time_wait: &mut VecDeque<(u32, bool)>, closed: (u32, bool), crowd: Crowd) {
    time_wait.push_back(closed);
    if time_wait.len() > crowd.time_wait as usize
        && let Some(over) = time_wait.pop_front()
    {
        searches.give(over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::ports::range::Range, what_if::walk::Walk};

    fn of(live: u32, time_wait: u32) -> Visits {
        let walk = Walk::new(Range::of_namespace((40_000, 40_999)), 0);
        visits(Searches::new(walk, |_| true), Crowd { live, time_wait }, 1000)
    }

    #[test]
    fn an_empty_range() {
        assert_eq!(of(0, 0), Visits { mean: 1.0, second_pass: 0.0, no_port: 0.0 });
    }

    #[test]
    fn below_the_cliff_the_first_half_holds_them_all() {
        let visits = of(250, 0);
        assert!((1.1..3.0).contains(&visits.mean) && visits.second_pass == 0.0, "{visits:?}");
        assert_eq!(of(300, 150).second_pass, 0.0);
    }

    #[test]
    fn beyond_it_most_walk_the_first_half() {
        let visits = of(700, 0);
        assert!(visits.mean > 100.0 && visits.second_pass > 0.1 && visits.no_port == 0.0, "{visits:?}");
        assert!(of(200, 500).mean > 100.0);
    }

    #[test]
    fn more_than_there_are() {
        assert!(of(800, 400).no_port > 0.1);
    }
}
