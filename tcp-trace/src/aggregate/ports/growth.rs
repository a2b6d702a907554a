// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast ports are used, from one inventory to the next, over the last minute.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::{Group, Route};

/// A minute: as long as TIME_WAIT, so that the window covers both new and expired entries.
const WINDOW_NS: u64 = 60_000_000_000;
/// Number of inventories that are kept.
const SAMPLES: usize = 64;

/// The rate of change of the number of taken ports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Ports per second; negative if they are released.
    pub per_second: f64,
    /// Length of the measurement in seconds.
    pub seconds: f64,
}

impl Growth {
    /// Seconds until `ports` ports are used at this rate.
    pub(super) fn seconds_to(&self, ports: u32) -> Option<f64> {
        (self.per_second > 0.0).then(|| f64::from(ports) / self.per_second)
    }
}

/// Taken ports of the groups that are shown, by time.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<Route, VecDeque<(u64, u32)>, RandomState>);

impl History {
    /// Adds the groups found at `now_ns`, and sets the growth of each. Groups that are gone are removed.
    pub(super) fn extend(&mut self, now_ns: u64, groups: &mut [Group]) {
        let mut kept = HashMap::default();
        for group in groups {
            let mut samples = self.0.remove(&group.route).unwrap_or_default();
            samples.push_back((now_ns, group.held.taken().both()));
            let old = |(ns, _): &(u64, u32)| now_ns.saturating_sub(*ns) > WINDOW_NS;
            while samples.len() > SAMPLES || (samples.len() > 2 && samples.front().is_some_and(old)) {
                samples.pop_front();
            }
            group.growth = growth(&samples);
            kept.insert(group.route, samples);
        }
        self.0 = kept;
    }
}

fn growth(samples: &VecDeque<(u64, u32)>) -> Option<Growth> {
    let ((first_ns, first), (last_ns, last)) = (samples.front()?, samples.back()?);
    let seconds = last_ns.saturating_sub(*first_ns) as f64 / 1e9;
    // Two inventories in quick succession yield no rate.
    (seconds >= 0.5).then(|| Growth { per_second: (f64::from(*last) - f64::from(*first)) / seconds, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_what_was_seen() {
        let rate = |samples: &[(u64, u32)]| growth(&samples.iter().copied().collect());
        assert_eq!(rate(&[(0, 5)]), None);
        assert_eq!(rate(&[(0, 5), (100, 9)]), None);
        let grows = rate(&[(0, 100), (1_000_000_000, 110), (2_000_000_000, 300)]).expect("a rate");
        assert_eq!((grows.per_second, grows.seconds, grows.seconds_to(50)), (100.0, 2.0, Some(0.5)));
        assert_eq!(rate(&[(0, 100), (1_000_000_000, 90)]).and_then(|shrinks| shrinks.seconds_to(1)), None);
    }
}
