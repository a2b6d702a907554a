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

/// What a command asks for, beyond the flags that all commands share.
#[derive(Clone, Debug)]
pub struct TraceRequest {
    /// The question.
    pub mode: Mode,
    /// Signals whose events are streamed, connect apart.
    pub events: Vec<Signal>,
    /// Whether an event of each connect is needed, not only of exemplars.
    pub each_connect: bool,
    /// Signals beyond those that the command needs.
    pub extra: Vec<Signal>,
    /// When to attach the port probes.
    pub port_probes: PortProbes,
    /// How many attempts in progress are followed at once.
    pub max_attempts: u32,
    /// Whether to measure what tracing adds to a connect before tracing begins.
    pub calibrate: bool,
    /// Files that are opened or renamed after tracing began, beyond those of the shared flags.
    pub outputs: Vec<PathBuf>,
    /// How often `-v` was given.
    pub verbose: u8,
}

impl TraceRequest {
    /// The request of most commands; `events` adds a line for each event of the command's signal.
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

    /// Signals, other than connect, whose events are needed one by one.
    pub fn streamed(&self) -> Vec<Signal> {
        self.events.iter().chain(self.mode.joined()).copied().collect()
    }

    /// The bits of `stream` that the kernel side sends; `records`: the run is recorded.
    pub(super) fn streams(&self, records: bool) -> u16 {
        let bit = |signal: Signal| match signal {
            Signal::TimeWait => stream::TIME_WAIT,
            Signal::Bind => stream::BIND,
            Signal::Listen => stream::LISTEN,
            Signal::State => stream::STATE,
            Signal::Connect | Signal::PortProbes | Signal::ListenerLookup | Signal::Stack | Signal::OnCpu => 0,
        };
        let owners = if self.details_time_wait() { stream::TIME_WAIT_OWNERS } else { 0 };
        // The flame graph weights a stack by the connect it belongs to.
        let each_connect = records || self.each_connect || self.events.contains(&Signal::Stack);
        let connects = if each_connect { stream::CONNECT } else { 0 };
        self.streamed().into_iter().map(bit).fold(owners | connects, |bits, bit| bits | bit)
    }

    /// What the run does after everything is attached, which decides the privileges that stay.
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

    /// Whether every TIME_WAIT event is needed. That costs a probe on each segment for a minisocket, so it is on
    /// request only.
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
