// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tracing costs, measured; and how much is told, so that it costs no more than is allowed.

use serde::{Deserialize, Serialize};

pub mod calibrate;
mod control;
pub mod decide;
mod grace;
mod instructions;
mod memory;
pub mod statistics;

use std::time::Duration;

use anyhow::Context as _;
use aya::maps::PerCpuArray;
use tcp_trace_common::{
    detail::{FOLD, NO_EXEMPLARS, ONE_IN_SHIFT, STOPPED},
    names,
};
use tokio::time::Instant;

use self::{
    control::Control,
    decide::{Decider, Sheddable, Spent},
    statistics::{Reading, Window},
};
use crate::{
    clock,
    event::{Detail, level::Level},
    kernel::cpus::cpus,
    model::{
        accounts::{Calibration, Cost, Counts},
        folded::Folded,
    },
    probes::{attach::Attached, bursts::Bursts, runs::Runs},
    source::{counters::Counters, folded::FoldedTotals},
};

/// Between two looks at the cost, and between two windows of statistics.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the programs, and decides what they tell.
pub struct Governor {
    attached: Attached,
    counters: Counters,
    folded: FoldedTotals,
    /// Counted before tracing began: by a calibration.
    baseline: Counts,
    control: Control,
    calibration: Option<Calibration>,
    bursts: Bursts,
    decider: Decider,
    /// What a share of the machine is of.
    cpus: u32,
    /// `Err`: why the kernel keeps no statistics for us.
    statistics: Result<Option<Window>, String>,
    next_look: Instant,
    cost: Cost,
    /// Processor time of the agent before the first event: starting up is not part of what tracing costs.
    begin_cpu_ns: u64,
    /// Of the agent's, what events took so far.
    events_ns: u64,
    locked_bytes: Option<u64>,
    last: LastSample,
}

/// What was known at the last look.
#[derive(Clone, Copy, Debug, Default)]
struct LastSample {
    at_ns: u64,
    agent_ns: u64,
    events_ns: u64,
    attempts: u64,
    /// A second.
    rate: f64,
    /// In the last window without a burst.
    programs: Option<f64>,
}

/// What the books say at a moment, beside the events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CounterSnapshot {
    /// Counted since the start.
    pub counts: Counts,
    /// Added up in the kernel since the last time; `None`: nothing.
    pub folded: Option<Folded>,
    /// Spent since the start.
    pub cost: Cost,
    /// What an attempt costs, measured on connects of our own.
    pub calibration: Option<Calibration>,
    /// Told now.
    pub level: Level,
    /// Allowed, as a share of the machine.
    pub budget: f64,
    /// CPUs of the machine.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Memory of this process.
    pub resident_bytes: Option<u64>,
    /// Memory of its maps and programs.
    pub locked_bytes: Option<u64>,
}

/// As long as recordings did not say so, shares were of one CPU.
fn one() -> u32 {
    1
}

impl CounterSnapshot {
    /// Nothing is traced: what this process takes is all that there is.
    pub fn untraced() -> Self {
        Self {
            counts: Counts::default(),
            folded: None,
            cost: Cost { agent_ns: clock::own_cpu_ns(), ..Cost::default() },
            calibration: None,
            level: Level::Full,
            budget: 1.0,
            cpus: cpus(),
            resident_bytes: memory::resident_bytes(),
            locked_bytes: None,
        }
    }
}

impl Governor {
    /// Takes over what is attached; the first window of statistics begins now.
    ///
    /// # Errors
    /// When the object has not the maps of the contract.
    pub fn new(
        mut attached: Attached,
        bursts: Bursts,
        max_overhead: f64,
        tells_each: bool,
        calibration: Option<Calibration>,
    ) -> anyhow::Result<Self> {
        let map = attached.ebpf.take_map(names::COUNTERS).context("no map COUNTERS in the object")?;
        let counters = Counters::new(PerCpuArray::try_from(map)?);
        let mut folded = FoldedTotals::take(&mut attached.ebpf)?;
        let mut control = Control::take(&mut attached.ebpf)?;
        let mut baseline = Counts::default();
        // What cannot be read now would be nothing at the end.
        let counted = counters.read()?;
        // A calibration leaves word that nothing is to be sent: what was added up so far is none of this run.
        if control.word() & FOLD != 0 {
            baseline = counted;
            folded.since_last(&baseline, |generation| control.turn_to(generation))?;
            folded.begin();
            control.set(0);
        }
        let mut governor = Self {
            decider: Decider::new(max_overhead, Sheddable { each: tells_each, port_probes: bursts.are_wanted() }),
            cpus: cpus(),
            attached,
            counters,
            folded,
            baseline,
            control,
            calibration,
            bursts,
            statistics: Ok(None),
            next_look: Instant::now() + LOOK,
            cost: Cost::default(),
            begin_cpu_ns: clock::own_cpu_ns(),
            events_ns: 0,
            locked_bytes: memory::locked_bytes(),
            last: LastSample { at_ns: clock::monotonic_ns(), ..LastSample::default() },
        };
        governor.open_window();
        Ok(governor)
    }

    /// When there is something to do.
    pub fn due(&self) -> Instant {
        let window = self.statistics.as_ref().ok().and_then(|window| window.as_ref()).map(|window| window.end);
        [window, self.bursts.end()].into_iter().flatten().fold(self.next_look, Instant::min)
    }

    /// Does it; a change of level, if one follows.
    pub fn act(&mut self) -> Option<Detail> {
        let now = Instant::now();
        let is_over = |window: &Option<Window>| window.as_ref().is_some_and(|window| window.end <= now);
        if self.statistics.as_ref().is_ok_and(is_over) {
            self.close_window();
        }
        if self.bursts.end().is_some_and(|end| end <= now) {
            self.end_burst();
        }
        if self.next_look > now {
            return None;
        }
        // A machine that stalls is looked at once, not once for each second that it stood still.
        self.next_look = now + LOOK;
        let change = self.look();
        // Statistics cost something, and nobody connects.
        if self.last.rate > 0.0 {
            self.open_window();
        }
        change
    }

    /// There is something that port probes could explain: begins a burst if the budget allows.
    pub fn start_burst(&mut self) {
        let now = Instant::now();
        if !self.decider.level().probes_ports() || !self.bursts.may_begin(now) {
            return;
        }
        // A window is either within a burst or without.
        self.close_window();
        self.bursts.begin(&mut self.attached.ebpf, now);
        self.open_window();
    }

    /// From now on the next event wakes us, or not any more.
    pub fn sleep(&mut self, asleep: bool) {
        self.control.sleep(asleep);
    }

    /// Events took so much of this process's processor time.
    pub fn spent_on_events(&mut self, ns: u64) {
        self.events_ns += ns;
    }

    /// From now on nothing is counted any more, so that the books can be closed.
    pub fn stop(&mut self) {
        self.close_window();
        self.control.set(STOPPED);
        grace::period();
    }

    /// Whether the books should be looked at before the interval ends: what is counted by who and where finds no room.
    pub fn is_pressed(&self) -> bool {
        self.last.rate > 0.0 && self.folded.rows_are_full()
    }

    /// What the books say now; `undecoded` events could not be read so far. `None`: they cannot be read, which is not to say
    /// that nothing was counted.
    pub fn counters(&mut self, undecoded: u64) -> Option<CounterSnapshot> {
        let runs_missed = Runs::of(&self.attached.ebpf).missed;
        let counts = self.counts()?;
        let Self { folded, control, .. } = self;
        let folded = folded.since_last(&counts, |generation| control.turn_to(generation));
        let failed = |error: &_| tracing::warn!("cannot read the kernel side's totals: {error:#}");
        let folded = folded.inspect_err(failed).ok()?;
        if folded.is_some() {
            let (total_ns, search_ns) = self.folded.slow();
            self.control.slow(total_ns, search_ns);
        }
        let kprobes_missed = self.attached.kprobes.missed();
        // As many as were given out: attempts went on while the counters were read.
        let made = self.folded.attempts();
        let counts = Counts { made, runs_missed, kprobes_missed, undecoded, ..counts.since(&self.baseline) };
        let cost = Cost {
            agent_ns: self.agent_ns(),
            bursts_ns: self.bursts.in_bursts().as_nanos() as u64,
            bursts: self.bursts.count(),
            ..self.cost
        };
        Some(CounterSnapshot {
            counts,
            folded,
            cost,
            calibration: self.calibration,
            level: self.decider.level(),
            budget: self.decider.budget(),
            cpus: self.cpus,
            resident_bytes: memory::resident_bytes(),
            locked_bytes: self.locked_bytes,
        })
    }

    fn counts(&self) -> Option<Counts> {
        let failed =
            |error: &_| tracing::warn!("cannot read the counters, so the ledger shows earlier values: {error}");
        self.counters.read().inspect_err(failed).ok()
    }

    fn agent_ns(&self) -> u64 {
        clock::own_cpu_ns().saturating_sub(self.begin_cpu_ns)
    }

    fn reading(&self) -> Option<Reading> {
        let connects = self.counts()?.attempts();
        Some(Reading { runs: Runs::of(&self.attached.ebpf), connects, at_ns: clock::monotonic_ns() })
    }

    fn open_window(&mut self) {
        if !matches!(self.statistics, Ok(None)) {
            return;
        }
        self.statistics = Window::open(|| self.reading());
        if let Err(why) = &self.statistics {
            tracing::info!("no run-time statistics of programs: {why}");
        }
    }

    fn close_window(&mut self) {
        let Ok(window) = &mut self.statistics else { return };
        let Some(window) = window.take() else { return };
        let Some(measured) = window.close(|| self.reading()) else { return };
        if self.bursts.end().is_some() {
            self.cost.in_bursts = self.cost.in_bursts.plus(measured);
        } else {
            self.cost.programs = self.cost.programs.plus(measured);
            self.last.programs = measured.share();
        }
    }

    fn end_burst(&mut self) {
        self.close_window();
        // Unmeasured, one CPU at its worst: a probe costs about as much as the candidate that it looks at.
        let share = self.cost.in_bursts.share().unwrap_or(1.0) / f64::from(self.cpus);
        self.bursts.stop(share, self.decider.left_for_bursts());
    }

    fn look(&mut self) -> Option<Detail> {
        let now = LastSample {
            at_ns: clock::monotonic_ns(),
            agent_ns: self.agent_ns(),
            events_ns: self.events_ns,
            attempts: self.counts()?.attempts(),
            rate: 0.0,
            programs: None,
        };
        let last = std::mem::replace(&mut self.last, now);
        let seconds = now.at_ns.saturating_sub(last.at_ns) as f64 / 1e9;
        let cpus = f64::from(self.cpus);
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / 1e9 / seconds / cpus;
        let rate = now.attempts.saturating_sub(last.attempts) as f64 / seconds;
        self.last.rate = rate;
        let spent = Spent {
            programs: last.programs.or_else(|| self.reckoned(rate)).map(|share| share / cpus),
            agent: share(now.agent_ns, last.agent_ns),
            events: share(now.events_ns, last.events_ns),
            rate,
        };
        let before = self.decider.level();
        let after = self.decider.decide(spent)?;
        self.enforce(after);
        Some(Detail {
            time: clock::now().wall,
            before,
            after,
            programs_share: spent.programs,
            agent_share: spent.agent,
            budget: self.decider.budget(),
        })
    }

    fn enforce(&mut self, level: Level) {
        self.bursts.allow(&mut self.attached.ebpf, level.probes_ports());
        let each = if level.sends_each() { 0 } else { FOLD };
        let exemplars = if level.sends_exemplars() { 0 } else { NO_EXEMPLARS };
        self.control.set(u64::from(level.follows_one_in()) << ONE_IN_SHIFT | each | exemplars);
    }

    /// Where there are no statistics.
    fn reckoned(&self, rate: f64) -> Option<f64> {
        let calibration = self.calibration.filter(|_| self.statistics.is_err())?;
        Some(calibration.ns.max(0) as f64 * rate / 1e9)
    }
}
