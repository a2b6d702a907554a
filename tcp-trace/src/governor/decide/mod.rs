// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decides when to shed detail and when to restore it. Pure: measured shares in, a level out.
//!
//! The agent's own ticks and screens cannot be shed, so they are not counted. The rest, programs and the agent's work
//! on events, is compared with the budget. Each step has its own limit: events of each connect are shed first. Reports
//! are based on totals, which cost a fixed part of the connects themselves, and exemplars are always few. These are
//! therefore shed only if the budget is exceeded many times over.

use crate::event::level::{LEVELS, Level};

/// From this budget on nothing is ever shed: there is no limit.
const UNBOUNDED: f64 = 1.0;
/// Fraction of a level's limit that a more detailed level must fit into before it is tried.
const COMFORT: f64 = 0.7;
/// Number of consecutive readings in which it must fit before it is tried.
const HOLD: u32 = 3;
/// Upper limit of that number, after restores that came too early.
const LONGEST_HOLD: u32 = 80;
/// A level that lasted for this many readings was no mistake.
const LASTING: u32 = 30;
/// Multiple of the budget from which on exemplars are shed.
const EXEMPLARS: f64 = 10.0;
/// Multiple of the budget from which on only one attempt in N is followed.
const TOTALS: f64 = 20.0;

/// Cost since the last reading, as shares of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Cost of the programs, measured or computed from a calibration; `None`: unknown.
    pub programs: Option<f64>,
    /// Cost of the agent.
    pub agent: f64,
    /// Part of `agent`: the cost of events.
    pub events: f64,
    /// Attempts per second.
    pub rate: f64,
}

impl Spent {
    /// Cost of programs and agent.
    pub fn total(&self) -> f64 {
        self.programs.unwrap_or(0.0) + self.agent
    }

    /// Cost that shedding can save: 0 if there are no connects.
    fn sheddable(&self) -> f64 {
        if self.rate > 0.0 { self.programs.unwrap_or(0.0) + self.events } else { 0.0 }
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
            // Without connects nothing can be saved.
            rate: if self.rate > 0.0 { mean(self.rate, earlier.rate) } else { 0.0 },
        }
    }
}

/// Cost of a level when it was last in force.
#[derive(Clone, Copy, Debug)]
struct MeasuredCost {
    sheddable: f64,
    rate: f64,
}

/// What can be shed beside the totals.
#[derive(Clone, Copy, Debug)]
pub struct Sheddable {
    /// Whether events are sent one by one.
    pub each: bool,
    /// Whether port probes are wanted.
    pub port_probes: bool,
}

/// The current level, and what is needed to leave it.
#[derive(Clone, Debug)]
pub struct Decider {
    budget: f64,
    sheddable: Sheddable,
    level: Level,
    recent: Option<Spent>,
    /// Readings since the level changed.
    looks: u32,
    /// Consecutive readings over the budget.
    over: u32,
    /// Consecutive readings in which a more detailed level would have fitted.
    calm: u32,
    hold: u32,
    /// Whether the last change was to a more detailed level.
    came_back: bool,
    known: [Option<MeasuredCost>; LEVELS],
}

impl Decider {
    /// Starts with full detail. `budget` is a share of the machine.
    pub fn new(budget: f64, sheddable: Sheddable) -> Self {
        Self {
            budget,
            sheddable,
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

    /// The current level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The budget, as a share of the machine.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// The share that bursts of port probes may cost on average, beside all the rest.
    pub fn left_for_bursts(&self) -> f64 {
        let spent = self.recent.unwrap_or_default().total();
        (self.budget - spent).max(self.budget / 10.0)
    }

    /// Takes the cost since the last reading; returns the new level, if it changes.
    pub fn decide(&mut self, spent: Spent) -> Option<Level> {
        let recent = spent.smoothed(self.recent);
        self.recent = Some(recent);
        self.looks = self.looks.saturating_add(1);
        let sheddable = recent.sheddable();
        if recent.rate > 0.0 {
            self.known[self.level.index()] = Some(MeasuredCost { sheddable, rate: recent.rate });
        }
        if self.budget >= UNBOUNDED {
            return None;
        }
        let bearable = self.bearable(self.level);
        if sheddable > bearable {
            (self.calm, self.over) = (0, self.over + 1);
            // A single reading may be an accident, unless it is far off.
            if self.over < 2 && sheddable < 2.0 * bearable {
                return None;
            }
            let step_down = self.next(self.level, Level::step_down)?;
            if self.came_back && self.looks < LASTING {
                self.hold = (self.hold * 2).min(LONGEST_HOLD);
            }
            return Some(self.change(step_down));
        }
        self.over = 0;
        if self.looks >= LASTING {
            self.hold = HOLD;
        }
        // The present cost: it has to last, so older means are not needed.
        let now = Spent { programs: spent.programs.or(recent.programs), ..spent };
        let Some(richest) = self.richest(&now, 1.0) else {
            self.calm = 0;
            return None;
        };
        self.calm += 1;
        if self.calm >= self.hold {
            return Some(self.change(richest));
        }
        // With plenty of room, fewer readings are needed.
        let richest = self.richest(&now, 0.5)?;
        (self.calm >= HOLD).then(|| self.change(richest))
    }

    /// Sheddable cost at which a level is replaced by the next less detailed one, as a share of the machine.
    fn bearable(&self, level: Level) -> f64 {
        self.budget
            * match self.next(level, Level::step_down) {
                Some(Level::Full | Level::Exemplars | Level::NoPortProbes) => 1.0,
                Some(Level::NoEvents) => EXEMPLARS,
                Some(Level::OneIn(_)) | None => TOTALS,
            }
    }

    /// The most detailed level that fits at the present rate, if all levels between fit too; `share` of the room must
    /// stay free.
    fn richest(&self, now: &Spent, share: f64) -> Option<Level> {
        let step_up = std::iter::successors(Some(self.level), |level| self.next(*level, Level::step_up)).skip(1);
        step_up.take_while(|level| self.reckon(*level, now) <= share * COMFORT * self.bearable(*level)).last()
    }

    /// The next level that differs: a level that sheds nothing that exists is skipped.
    fn next(&self, from: Level, step: fn(Level) -> Option<Level>) -> Option<Level> {
        let is_none = |level: &Level| match level {
            Level::Exemplars => !self.sheddable.each,
            Level::NoPortProbes => !self.sheddable.port_probes,
            _ => false,
        };
        let mut next = step(from);
        while let Some(level) = next.filter(is_none) {
            next = step(level);
        }
        next
    }

    /// Predicted cost of a more detailed level at the present rate.
    fn reckon(&self, step_up: Level, now: &Spent) -> f64 {
        let sheddable = now.sheddable();
        let followed = f64::from(self.level.follows_one_in()) / f64::from(step_up.follows_one_in());
        match self.known[step_up.index()] {
            Some(then) => (then.sheddable * now.rate / then.rate).max(sheddable),
            // The cost of a level that was never in force is unknown.
            None if followed > 1.0 => followed * sheddable,
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
