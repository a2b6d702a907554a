// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures what tracing costs, and adjusts the detail so that the cost stays within the budget.

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

/// Time between two readings of the cost, and between two windows of statistics.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the programs, and sets their detail.
pub struct Governor {
    attached: Attached,
    counters: Counters,
    folded: FoldedTotals,
    /// Counts before tracing began, from a calibration.
    baseline: Counts,
    control: Control,
    calibration: Option<Calibration>,
    bursts: Bursts,
    decider: Decider,
    /// Number of CPUs, the base of shares of the machine.
    cpus: u32,
    /// The statistics; `Err`: why they are not available.
    statistics: Result<Option<Window>, String>,
    next_look: Instant,
    cost: Cost,
    /// CPU time of the agent in ns before the first event: startup is not part of the cost of tracing.
    begin_cpu_ns: u64,
    /// CPU time of the agent in ns that events took so far.
    events_ns: u64,
    locked_bytes: Option<u64>,
    last: LastSample,
}

/// Values at the last reading.
#[derive(Clone, Copy, Debug, Default)]
struct LastSample {
    at_ns: u64,
    agent_ns: u64,
    events_ns: u64,
    attempts: u64,
    /// Attempts per second.
    rate: f64,
    /// Cost of the programs in the last window without a burst.
    programs: Option<f64>,
}

/// A reading of the counters, without events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CounterSnapshot {
    /// Counts since the start.
    pub counts: Counts,
    /// Attempts that the kernel side added up since the last reading; `None`: nothing.
    pub folded: Option<Folded>,
    /// Cost since the start.
    pub cost: Cost,
    /// Cost that tracing adds to an attempt, measured with connects of tcp-trace itself.
    pub calibration: Option<Calibration>,
    /// The current detail.
    pub level: Level,
    /// The budget, as a share of the machine.
    pub budget: f64,
    /// Number of CPUs.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Resident memory of this process in bytes.
    pub resident_bytes: Option<u64>,
    /// Memory of its maps and programs in bytes.
    pub locked_bytes: Option<u64>,
}

/// Default for recordings without the number, whose shares were of one CPU.
fn one() -> u32 {
    1
}

impl CounterSnapshot {
    /// A reading without tracing: only the cost of this process.
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
    /// Takes over the attached programs; the first window of statistics begins now.
    ///
    /// # Errors
    /// When the object lacks a map.
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
        // Counters that cannot be read now would read as 0 at the end.
        let counted = counters.read()?;
        // After a calibration nothing is sent: totals so far are not part of this run.
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

    /// Time of the next action.
    pub fn due(&self) -> Instant {
        let window = self.statistics.as_ref().ok().and_then(|window| window.as_ref()).map(|window| window.end);
        [window, self.bursts.end()].into_iter().flatten().fold(self.next_look, Instant::min)
    }

    /// Performs the due action; returns a change of detail, if any.
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
        // After a stall there is one reading, not one for each missed second.
        self.next_look = now + LOOK;
        let change = self.look();
        // Statistics cost something, and are useless without connects.
        if self.last.rate > 0.0 {
            self.open_window();
        }
        change
    }

    /// Begins a burst of port probes, if the budget allows: there are slow or failed searches to explain.
    pub fn start_burst(&mut self) {
        let now = Instant::now();
        if !self.decider.level().probes_ports() || !self.bursts.may_begin(now) {
            return;
        }
        // A window is either within a burst or outside of bursts.
        self.close_window();
        self.bursts.begin(&mut self.attached.ebpf, now);
        self.open_window();
    }

    /// Sets whether the next event wakes the agent.
    pub fn sleep(&mut self, asleep: bool) {
        self.control.sleep(asleep);
    }

    /// Adds CPU time of this process, in ns, that events took.
    pub fn spent_on_events(&mut self, ns: u64) {
        self.events_ns += ns;
    }

    /// Stops counting, so that the ledger can be closed.
    pub fn stop(&mut self) {
        self.close_window();
        self.control.set(STOPPED);
        grace::period();
    }

    /// Whether counters should be read before the interval ends, because rows run out of room.
    pub fn is_pressed(&self) -> bool {
        self.last.rate > 0.0 && self.folded.rows_are_full()
    }

    /// Reads the counters; `undecoded` is the number of events so far that could not be decoded. `None`: they cannot be
    /// read, which does not mean that nothing was counted.
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
        // The number that was returned: attempts continued while the counters were read.
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
        // Unmeasured, one CPU in the worst case: a probe costs about as much as its candidate.
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

    /// The cost of the programs where there are no statistics.
    fn reckoned(&self, rate: f64) -> Option<f64> {
        let calibration = self.calibration.filter(|_| self.statistics.is_err())?;
        Some(calibration.ns.max(0) as f64 * rate / 1e9)
    }
}
