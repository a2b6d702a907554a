// SPDX-License-Identifier: MIT OR Apache-2.0
//! When to tell less and when to tell more again. Pure: measured shares in, a level out.
//!
//! Part of the cost cannot be shed: the agent's own ticks and screens. So what is governed is the part that can, and it
//! may take what the rest leaves of the budget, but always a quarter of it: shedding would not help where the rest alone
//! is over the budget.

use super::level::{LEVELS, Level};

/// From this share of the budget on nothing is ever shed: no bound at all.
const UNBOUNDED: f64 = 1.0;
/// Of the allowance: a richer level has to fit with room to spare.
const COMFORT: f64 = 0.7;
/// Looks in a row at which it has to, before it is tried.
const HOLD: u32 = 5;
/// The most that this becomes when coming back turns out to have been too early.
const LONGEST_HOLD: u32 = 80;
/// A level that lasted this many looks was no mistake.
const LASTING: u32 = 30;

/// What was spent since the last look, as shares of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// In the programs, measured or reckoned from a calibration; `None`: not known.
    pub programs: Option<f64>,
    /// In the agent.
    pub agent: f64,
    /// Part of `agent`: what events took.
    pub events: f64,
    /// Attempts a second.
    pub rate: f64,
}

impl Spent {
    /// Programs and agent.
    pub fn total(&self) -> f64 {
        self.programs.unwrap_or(0.0) + self.agent
    }

    /// What telling less can save: nothing where nobody connects.
    fn sheddable(&self) -> f64 {
        if self.rate > 0.0 { self.programs.unwrap_or(0.0) + self.events } else { 0.0 }
    }

    /// What the rest leaves of the budget.
    fn allowance(&self, budget: f64) -> f64 {
        (budget - (self.total() - self.sheddable())).max(budget / 4.0)
    }

    fn smoothed(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        let mean = |now: f64, then: f64| (now + then) / 2.0;
        Self {
            programs: match (self.programs, earlier.programs) {
                (Some(now), Some(then)) => Some(mean(now, then)),
                (now, then) => now.or(then),
            },
            agent: mean(self.agent, earlier.agent),
            events: mean(self.events, earlier.events),
            // Nobody connects now: nothing can be saved now.
            rate: if self.rate > 0.0 { mean(self.rate, earlier.rate) } else { 0.0 },
        }
    }
}

/// What a level cost when it was last in force.
#[derive(Clone, Copy, Debug)]
struct Known {
    sheddable: f64,
    rate: f64,
}

/// The level in force and what it takes to leave it.
#[derive(Clone, Debug)]
pub struct Decider {
    budget: f64,
    port_probes: bool,
    level: Level,
    recent: Option<Spent>,
    /// Looks since the level changed.
    looks: u32,
    /// Looks in a row that were over the budget.
    over: u32,
    /// Looks in a row at which the next richer level would have fitted.
    calm: u32,
    hold: u32,
    /// The last change was to a richer level.
    came_back: bool,
    known: [Option<Known>; LEVELS],
}

impl Decider {
    /// Everything is told. `budget` is a share of one CPU; `port_probes`: there are some to shed.
    pub fn new(budget: f64, port_probes: bool) -> Self {
        Self {
            budget,
            port_probes,
            level: Level::Full,
            recent: None,
            looks: 0,
            over: 0,
            calm: 0,
            hold: HOLD,
            came_back: false,
            known: [None; LEVELS],
        }
    }

    /// In force.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The budget.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// What bursts of port probes may cost on average, beside all the rest.
    pub fn left_for_bursts(&self) -> f64 {
        let spent = self.recent.unwrap_or_default().total();
        (self.budget - spent).max(self.budget / 10.0)
    }

    /// Takes what was spent since the last look; the new level, if it changes.
    pub fn decide(&mut self, spent: Spent) -> Option<Level> {
        let recent = spent.smoothed(self.recent);
        self.recent = Some(recent);
        self.looks = self.looks.saturating_add(1);
        let sheddable = recent.sheddable();
        if recent.rate > 0.0 {
            self.known[self.level.index()] = Some(Known { sheddable, rate: recent.rate });
        }
        if self.budget >= UNBOUNDED {
            return None;
        }
        let allowance = recent.allowance(self.budget);
        if sheddable > allowance {
            (self.calm, self.over) = (0, self.over + 1);
            // One look may be an accident, unless it is far off.
            if self.over < 2 && sheddable < 2.0 * allowance {
                return None;
            }
            let poorer = self.next(Level::poorer)?;
            if self.came_back && self.looks < LASTING {
                self.hold = (self.hold * 2).min(LONGEST_HOLD);
            }
            return Some(self.change(poorer));
        }
        self.over = 0;
        if self.looks >= LASTING {
            self.hold = HOLD;
        }
        let richer = self.next(Level::richer)?;
        let reckoned = self.reckon(richer, &recent);
        self.calm = if reckoned <= COMFORT * allowance { self.calm + 1 } else { 0 };
        // On the way back through a quiet that has proved itself, the next step need not wait as long.
        let proved = self.came_back && reckoned <= COMFORT * allowance / 2.0;
        (self.calm >= if proved { 1 } else { self.hold }).then(|| self.change(richer))
    }

    /// A level without port probes is no other where there are none.
    fn next(&self, step: fn(Level) -> Option<Level>) -> Option<Level> {
        let next = step(self.level)?;
        if next == Level::NoPortProbes && !self.port_probes { step(next) } else { Some(next) }
    }

    /// What a richer level would cost at the rate of now.
    fn reckon(&self, richer: Level, recent: &Spent) -> f64 {
        let sheddable = recent.sheddable();
        match self.known[richer.index()] {
            Some(then) => (then.sheddable * recent.rate / then.rate).max(sheddable),
            None => 2.0 * sheddable,
        }
    }

    fn change(&mut self, to: Level) -> Level {
        self.came_back = to < self.level;
        self.level = to;
        self.recent = None;
        (self.looks, self.over, self.calm) = (0, 0, 0);
        to
    }
}

#[cfg(test)]
mod tests;
