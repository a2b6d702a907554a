// SPDX-License-Identifier: MIT OR Apache-2.0
//! When to tell less and when to tell more again. Pure: measured shares in, a level out.
//!
//! The agent's own ticks and screens cannot be shed, so they are not counted. What is left, the programs and what events
//! take in the agent, is held against the budget, and each step has its own measure of that: the events that were asked
//! for go first. Totals are what answers rest on, and cost a fixed part of what the connects themselves cost; exemplars
//! are few whatever happens. So these go only where the budget is not a little off, but many times over.

use crate::event::level::{LEVELS, Level};

/// From this share of the budget on nothing is ever shed: no bound at all.
const UNBOUNDED: f64 = 1.0;
/// Of what a level may take: a step_up one has to fit with room to spare.
const COMFORT: f64 = 0.7;
/// Looks in a row at which it has to, before it is tried.
const HOLD: u32 = 3;
/// The most that this becomes when coming back turns out to have been too early.
const LONGEST_HOLD: u32 = 80;
/// A level that lasted this many looks was no mistake.
const LASTING: u32 = 30;
/// Budgets from which on exemplars are shed.
const EXEMPLARS: f64 = 10.0;
/// Budgets from which on one attempt in so many is followed.
const TOTALS: f64 = 20.0;

/// What was spent since the last look, as shares of the machine.
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
struct MeasuredCost {
    sheddable: f64,
    rate: f64,
}

/// What there is to be shed, beside the totals.
#[derive(Clone, Copy, Debug)]
pub struct Sheddable {
    /// Something is told one by one.
    pub each: bool,
    /// Candidates are looked at.
    pub port_probes: bool,
}

/// The level in force and what it takes to leave it.
#[derive(Clone, Debug)]
pub struct Decider {
    budget: f64,
    sheddable: Sheddable,
    level: Level,
    recent: Option<Spent>,
    /// Looks since the level changed.
    looks: u32,
    /// Looks in a row that were over the budget.
    over: u32,
    /// Looks in a row at which a step_up level would have fitted.
    calm: u32,
    hold: u32,
    /// The last change was to a step_up level.
    came_back: bool,
    known: [Option<MeasuredCost>; LEVELS],
}

impl Decider {
    /// Everything is told. `budget` is a share of the machine.
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
            self.known[self.level.index()] = Some(MeasuredCost { sheddable, rate: recent.rate });
        }
        if self.budget >= UNBOUNDED {
            return None;
        }
        let bearable = self.bearable(self.level);
        if sheddable > bearable {
            (self.calm, self.over) = (0, self.over + 1);
            // One look may be an accident, unless it is far off.
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
        // As it is now: it has to last, so there is no need for means that remember what was before.
        let now = Spent { programs: spent.programs.or(recent.programs), ..spent };
        let Some(richest) = self.richest(&now, 1.0) else {
            self.calm = 0;
            return None;
        };
        self.calm += 1;
        if self.calm >= self.hold {
            return Some(self.change(richest));
        }
        // Where there is room by far it need not have been calm for long.
        let richest = self.richest(&now, 0.5)?;
        (self.calm >= HOLD).then(|| self.change(richest))
    }

    /// What a level may cost before the next step_down one takes its place: sheddable, as a share of the machine.
    fn bearable(&self, level: Level) -> f64 {
        self.budget
            * match self.next(level, Level::step_down) {
                Some(Level::Full | Level::Exemplars | Level::NoPortProbes) => 1.0,
                Some(Level::NoEvents) => EXEMPLARS,
                Some(Level::OneIn(_)) | None => TOTALS,
            }
    }

    /// The richest level that would be borne at the rate of now, as long as all on the way there would; `share` of the
    /// room that it is to leave free.
    fn richest(&self, now: &Spent, share: f64) -> Option<Level> {
        let step_up = std::iter::successors(Some(self.level), |level| self.next(*level, Level::step_up)).skip(1);
        step_up.take_while(|level| self.reckon(*level, now) <= share * COMFORT * self.bearable(*level)).last()
    }

    /// A level that sheds what there is not is no other.
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

    /// What a step_up level would cost at the rate of now.
    fn reckon(&self, step_up: Level, now: &Spent) -> f64 {
        let sheddable = now.sheddable();
        let followed = f64::from(self.level.follows_one_in()) / f64::from(step_up.follows_one_in());
        match self.known[step_up.index()] {
            Some(then) => (then.sheddable * now.rate / then.rate).max(sheddable),
            // Of one that was never in force nothing is known.
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
