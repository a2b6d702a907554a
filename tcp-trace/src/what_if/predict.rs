// SPDX-License-Identifier: MIT OR Apache-2.0
//! Predicts searches with the present sockets, and after these have been replaced.

use super::{
    change::Setup,
    current::{self, Visits},
    occupancy::Occupancy,
    search::Searches,
    search_cost::SearchCost,
    steady_state::{self, Crowd},
    walk::Walk,
};
use crate::aggregate::ports::reuse::Reuse;

/// Searches of one source and destination start anywhere once per this many seconds.
const WINDOW_S: f64 = 10.0;

/// Change of the number of ports per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Change of ports in use by connections.
    pub live: f64,
    /// Change of ports in TIME_WAIT.
    pub time_wait: f64,
}

/// Inputs for one source and destination.
#[derive(Clone, Debug)]
pub struct PredictInput {
    /// Its ports.
    pub occupancy: Occupancy,
    /// The present setup.
    pub setup: Setup,
    /// Searches a second.
    pub searches_per_second: Option<f64>,
    /// The trend of its ports.
    pub trend: Option<Trend>,
    /// Whether searches start as in 5.18 and later; for other kernels the number of visited ports is unknown.
    pub perturb_table: bool,
    /// Measured cost of a search.
    pub search_cost: SearchCost,
}

/// A prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The setup of the prediction.
    pub setup: Setup,
    /// Searches with the present sockets; `None`: the rate of searches is unknown.
    pub current: Option<Visits>,
    /// Searches after all connections have been replaced under this setup.
    pub steady_state: Option<Visits>,
    /// Time of a search with the present sockets, in ns.
    pub at_once_ns: Option<f64>,
    /// Time of a search after all connections have been replaced, in ns.
    pub settled_ns: Option<f64>,
    /// Ports taken at the same time when the first half is full, over all addresses; `None`: one pass has no halves.
    pub cliff_at: Option<u32>,
    /// Connections that can be added before the first half is full.
    pub to_cliff: Option<u32>,
    /// Connections that can be added before no port is left.
    pub to_exhaustion: u32,
    /// Growth of taken ports per second.
    pub ports_per_second: Option<f64>,
}

impl Prediction {
    /// Seconds until the first half is full.
    pub fn seconds_to_cliff(&self) -> Option<f64> {
        self.seconds_to(self.to_cliff?)
    }

    /// Seconds until no port is left.
    pub fn seconds_to_exhaustion(&self) -> Option<f64> {
        self.seconds_to(self.to_exhaustion)
    }

    fn seconds_to(&self, ports: u32) -> Option<f64> {
        if ports == 0 {
            return Some(0.0);
        }
        self.ports_per_second.filter(|rate| *rate > 0.0).map(|rate| f64::from(ports) / rate)
    }
}

impl PredictInput {
    /// Predicts for a setup.
    pub fn predict(&self, setup: Setup) -> Prediction {
        let per_window = self.per_window(&setup);
        let crowd = self.crowd(&setup);
        let current = per_window.map(|per_window| self.current(&setup, per_window));
        let steady_state = per_window
            .zip(crowd)
            .map(|(per_window, crowd)| steady_state::visits(self.unused(&setup), crowd, per_window));
        let ns = |visits: Option<Visits>| self.search_cost.search_ns(visits?.mean);
        let (to_cliff, to_exhaustion) = self.room(&setup, crowd);
        Prediction {
            setup,
            current,
            steady_state,
            at_once_ns: ns(current),
            settled_ns: ns(steady_state),
            cliff_at: self.unused(&setup).to_cliff().map(|ports| ports * setup.addresses),
            to_cliff,
            to_exhaustion,
            ports_per_second: self.trend.map(|trend| trend.of(&setup)),
        }
    }

    /// Number of searches in a window, each of which starts where the last one ended.
    fn per_window(&self, setup: &Setup) -> Option<u32> {
        let rate = self.searches_per_second.filter(|_| self.perturb_table)?;
        let searches = rate * WINDOW_S / f64::from(setup.addresses) / f64::from(setup.requests);
        Some(searches.round().max(1.0) as u32)
    }

    /// Ports in use at the same time, of one of the addresses.
    fn crowd(&self, setup: &Setup) -> Option<Crowd> {
        let today = self.setup.range;
        let share = |ports: u32| (f64::from(ports) / f64::from(setup.addresses)).round() as u32;
        let time_wait = f64::from(self.occupancy.time_wait(today)) / f64::from(setup.requests);
        let time_wait = match setup.reuse {
            Reuse::After { .. } if time_wait == 0.0 => 0.0,
            Reuse::After { delay_ms } => {
                let fresh = self.searches_per_second? / f64::from(setup.requests) * f64::from(delay_ms) / 1000.0;
                time_wait.min(fresh)
            }
            _ => time_wait,
        };
        Some(Crowd { live: share(self.occupancy.live(today)), time_wait: share(time_wait.round() as u32) })
    }

    fn current(&self, setup: &Setup, per_window: u32) -> Visits {
        let old = current::visits(self.used(setup), per_window);
        if setup.addresses == 1 {
            return old;
        }
        let new = current::visits(self.unused(setup), per_window);
        let all = |of: fn(&Visits) -> f64| {
            (of(&old) + of(&new) * f64::from(setup.addresses - 1)) / f64::from(setup.addresses)
        };
        Visits { mean: all(|it| it.mean), second_pass: all(|it| it.second_pass), no_port: all(|it| it.no_port) }
    }

    /// Connections that can be added before the first half is full, and before no port is left. Present connections
    /// stay where they are, unless addresses are added: then they are spread over all of them first.
    fn room(&self, setup: &Setup, crowd: Option<Crowd>) -> (Option<u32>, u32) {
        if setup.addresses == 1 {
            let searches = self.used(setup);
            return (searches.to_cliff(), searches.to_exhaustion());
        }
        let unused = self.unused(setup);
        // Without a rate TIME_WAIT counts as taken.
        let taken = crowd.map_or_else(
            || self.occupancy.live(self.setup.range) + self.occupancy.time_wait(self.setup.range),
            |crowd| (crowd.live + crowd.time_wait) * setup.addresses,
        );
        let left = |ports: u32| (ports * setup.addresses).saturating_sub(taken);
        (unused.to_cliff().map(left), left(unused.to_exhaustion()))
    }

    /// Searches over the present sockets.
    fn used(&self, setup: &Setup) -> Searches {
        let taken = self.occupancy.taken(setup.reuse);
        Searches::new(Walk::new(setup.range, setup.step_width), |port| !taken.contains(port))
    }

    /// Searches over an empty range.
    fn unused(&self, setup: &Setup) -> Searches {
        let common = self.occupancy.of_a_new_address().taken(setup.reuse);
        Searches::new(Walk::new(setup.range, setup.step_width), |port| !common.contains(port))
    }
}

impl Trend {
    /// The value after fewer connects, or with reusable TIME_WAIT.
    fn of(self, setup: &Setup) -> f64 {
        let time_wait = if matches!(setup.reuse, Reuse::After { .. }) { 0.0 } else { self.time_wait };
        (self.live + time_wait) / f64::from(setup.requests)
    }
}
