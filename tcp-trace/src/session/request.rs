// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run is asked to find out, and how it is to run.

use std::{path::PathBuf, time::Duration};

use tcp_trace_common::config::{Config, stream};

use crate::{
    confine::{Needs, Reattach},
    kernel::Facts,
    mode::Mode,
    probes::{attach::Attached, bursts::PortProbes, plan::PlanRequest, table::Signal, tier::Tier},
};

/// Size of the ring buffer that a run gets by default, in KiB.
pub const RING_KIB: u32 = 4096;

/// How a run is done, whatever it finds out.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How long it takes; `None`: until a signal ends it.
    pub duration: Option<Duration>,
    /// Time between two answers.
    pub interval: Duration,
    /// The only tier that may be used; `None`: the best that attaches.
    pub tier: Option<Tier>,
    /// Share of the machine that tracing may cost, 0 to 1.
    pub max_overhead: f64,
    /// Size of the ring buffer, in KiB.
    pub ring_kib: u32,
    /// Which connects are of interest: the filters of a configuration that holds nothing else yet.
    pub filters: Config,
    /// A recording of the run, beside its answers.
    pub record: Option<PathBuf>,
    /// A file that is created once everything is attached.
    pub ready_file: Option<PathBuf>,
}

/// What is asked, beside the flags that all share.
#[derive(Clone, Debug)]
pub struct TraceRequest {
    /// The question.
    pub mode: Mode,
    /// Signals whose events are streamed, connect apart.
    pub events: Vec<Signal>,
    /// An event of each connect is wanted, not of examples only.
    pub each_connect: bool,
    /// Signals beside those that the question needs.
    pub extra: Vec<Signal>,
    /// Why candidates are refused.
    pub port_probes: PortProbes,
    /// Attempts followed at once.
    pub max_attempts: u32,
    /// Measure what tracing adds, before it begins.
    pub calibrate: bool,
    /// Files that are opened, or get their names, after tracing began; beside those of the shared flags.
    pub outputs: Vec<PathBuf>,
    /// `-v`s.
    pub verbose: u8,
}

impl TraceRequest {
    /// As most commands ask it: `events` lists those of its signal.
    pub fn for_mode(mode: Mode, events: bool, verbose: u8) -> Self {
        Self {
            mode,
            events: mode.listed().filter(|_| events).into_iter().collect(),
            each_connect: false,
            extra: Vec::new(),
            port_probes: PortProbes::Never,
            max_attempts: 16_384,
            calibrate: false,
            outputs: Vec::new(),
            verbose,
        }
    }

    /// Signals whose events are needed one by one, connect apart.
    pub fn streamed(&self) -> Vec<Signal> {
        self.events.iter().chain(self.mode.joined()).copied().collect()
    }

    /// `records`: all that happens is written down, too.
    pub(super) fn streams(&self, records: bool) -> u16 {
        let bit = |signal: Signal| match signal {
            Signal::TimeWait => stream::TIME_WAIT,
            Signal::Bind => stream::BIND,
            Signal::Listen => stream::LISTEN,
            Signal::State => stream::STATE,
            Signal::Connect | Signal::PortProbes | Signal::ListenerLookup | Signal::Stack | Signal::OnCpu => 0,
        };
        let owners = if self.details_time_wait() { stream::TIME_WAIT_OWNERS } else { 0 };
        // A stack is drawn with the connect that it is of.
        let each_connect = records || self.each_connect || self.events.contains(&Signal::Stack);
        let connects = if each_connect { stream::CONNECT } else { 0 };
        self.streamed().into_iter().map(bit).fold(owners | connects, |bits, bit| bits | bit)
    }

    /// What the run does after everything is attached.
    pub(super) fn needs(&self, options: &RunOptions, attached: Option<&Attached>, facts: &Facts) -> Needs {
        let is_attached = |signal| attached.is_some_and(|attached| attached.tier(signal).is_some());
        let probes = attached.and_then(|attached| attached.tier(Signal::PortProbes));
        let bursts = probes.filter(|_| self.port_probes != PortProbes::Never).map(|tier| match tier {
            Tier::Kprobe => Reattach::Breakpoint,
            _ if facts.trampolines_attach_again => Reattach::Trampoline,
            _ => Reattach::TrampolineOfNewProgram,
        });
        Needs {
            traces: attached.is_some(),
            surveys: self.mode.surveys(),
            call_sites: is_attached(Signal::Bind),
            stacks: is_attached(Signal::Stack),
            bursts,
            outputs: self.outputs.iter().chain(&options.record).chain(&options.ready_file).cloned().collect(),
        }
    }

    /// It costs a probe on each segment for a minisocket, so it is not asked by the way.
    pub(super) fn details_time_wait(&self) -> bool {
        self.events.contains(&Signal::TimeWait) || matches!(self.mode, Mode::TimeWait | Mode::Doctor)
    }

    pub(super) fn plan(&self, tier: Option<Tier>) -> PlanRequest {
        let mut signals = self.mode.signals();
        signals.extend(&self.extra);
        if self.port_probes != PortProbes::Never {
            signals.push(Signal::PortProbes);
        }
        let events = self.details_time_wait().then_some(Signal::TimeWait).into_iter().collect();
        PlanRequest { signals, tier, events }
    }
}
