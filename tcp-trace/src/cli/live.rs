// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every live command shares: its flags, and how a run is started from them.

use std::{path::PathBuf, time::Duration};

use super::{duration, filters::Filters, output::Output, replay::Recording, share};
use crate::{
    exit::{FAIL_ON, Failure},
    export::sink::Sink,
    findings::Severity,
    mode::Mode,
    probes::tier::Tier,
    session::{
        output::{Answer, OutputOptions},
        request::{RING_KIB, RunOptions, TraceRequest},
        start::{self, Ran},
    },
    session_info::SessionInfo,
    stream::Consumer,
    view::screen::Layout,
};

/// Flags of every live command. A command whose report is not text has output flags of its own.
#[derive(Debug, clap::Args)]
pub struct LiveArgs<O: clap::Args = Output> {
    /// Stop after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Time between reports
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    pub interval: Duration,
    /// Rows to show in each table
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub top: u16,
    /// Which events to include.
    #[command(flatten)]
    pub filters: Filters,
    /// Output file and format.
    #[command(flatten)]
    pub output: O,
    /// How programs attach: the best tier that works, or only this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    pub tier: TierChoice,
    /// Budget for tracing, programs and agent together, as a share of the machine (all CPUs); 100% means no limit
    ///
    /// Counts are based on totals by process and destination, which the kernel side keeps for every connect and never
    /// sheds. Over the budget, tcp-trace sheds detail one step at a time: first one event per connect, where requested;
    /// then the port probes; then the few example events; last, it samples one connect in 2, 4, ... 1024, and marks the
    /// resulting figures as estimates. Detail returns within seconds once it fits the budget again. tcp-trace reports
    /// each step, and every report shows the current one.
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "1%", help_heading = "Tracing")]
    pub max_overhead: f64,
    /// Size in KiB of the ring buffer between kernel and agent
    #[arg(long, value_name = "KIB", default_value_t = RING_KIB, value_parser = clap::value_parser!(u32).range(4..=1 << 20), help_heading = "Tracing")]
    pub ring_kib: u32,
    /// Exit with code 3 if any finding is at least this severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Also record everything that the report is based on in this file, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    pub ready_file: Option<PathBuf>,
    /// A recording to read instead of tracing.
    #[arg(skip)]
    pub recording: Option<Recording>,
}

/// Values of `--tier`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TierChoice {
    /// The best tier that works
    #[default]
    Auto,
    /// BPF trampolines
    Fentry,
    /// Kprobes and kretprobes
    Kprobe,
    /// Tracepoints only
    Tracepoint,
}

/// Values of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Worth knowing
    Info,
    /// Measurable performance impact
    Warning,
    /// Connects fail, or this causes most of their cost
    Critical,
}

impl FailOn {
    /// The exit code of a run whose worst finding is `worst`.
    pub fn code(threshold: Option<Self>, worst: Option<Severity>) -> u8 {
        let threshold = threshold.map(|fail_on| match fail_on {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Critical => Severity::Critical,
        });
        // Severities are ordered worst first.
        match (worst, threshold) {
            (Some(worst), Some(threshold)) if worst <= threshold => FAIL_ON,
            _ => 0,
        }
    }
}

impl TierChoice {
    /// The tier that is forced.
    pub fn tier(self) -> Option<Tier> {
        match self {
            Self::Auto => None,
            Self::Fentry => Some(Tier::Fentry),
            Self::Kprobe => Some(Tier::Kprobe),
            Self::Tracepoint => Some(Tier::Tracepoint),
        }
    }
}

impl<O: clap::Args> LiveArgs<O> {
    /// How the run is done.
    ///
    /// # Errors
    /// When a filter names what does not exist.
    pub fn options(&self) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            duration: self.duration,
            interval: self.interval,
            tier: self.tier.tier(),
            max_overhead: self.max_overhead,
            ring_kib: self.ring_kib,
            filters: self.filters.config(self.recording.is_some())?,
            record: self.record.clone(),
            ready_file: self.ready_file.clone(),
        })
    }
}

/// Traces, or reads the recording, until the run ends; returns the consumer.
///
/// # Errors
/// See [`start::prepare`] and [`start::watch`]; also when the recording lacks what the command needs.
pub fn follow<F: Consumer>(
    options: &RunOptions,
    recording: Option<&Recording>,
    request: &TraceRequest,
    consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
) -> Result<Ran<F>, Failure> {
    match recording {
        Some(_) if options.record.is_some() => Err(Failure::Usage {
            headline: "--record is not supported in a replay: it is for live commands".into(),
            try_next: vec!["copy the file with cp, or use `tcp-trace replay FILE redact OTHER`".into()],
        }),
        Some(recording) => Ok(Ran { consumer: recording.feed(options, request, consumer)?, recorded: Ok(()) }),
        None => start::watch(start::prepare(options, request)?, options, request, consumer),
    }
}

/// Traces, or reads the recording, and reports until the run ends; returns the worst severity found.
///
/// # Errors
/// See [`follow`].
pub fn run(
    live: &LiveArgs,
    request: &TraceRequest,
    output_options: OutputOptions,
    sink: Sink,
) -> Result<Option<Severity>, Failure> {
    let answer = |session: &SessionInfo| Answer::new(request.mode, session, output_options, sink);
    let Ran { consumer, recorded } = follow(&live.options()?, live.recording.as_ref(), request, answer)?;
    recorded.map(|()| consumer.worst())
}

/// What a command without flags of its own writes; `events` adds a line for each event of its signal.
pub fn output_options(output: &Output, top: u16, verbose: u8, events: bool, sink: &Sink) -> OutputOptions {
    OutputOptions {
        format: output.format,
        connects: false,
        signals: events,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout: layout(top, verbose, sink),
    }
}

/// The width, rows, colours and characters that a screen may use.
pub fn layout(top: u16, verbose: u8, sink: &Sink) -> Layout {
    let (width, colours, unicode) = (sink.width(), sink.colours(), sink.unicode());
    Layout { width, top: usize::from(top), colours, unicode, verbose: verbose > 0 }
}

/// Runs a command that has no flags of its own but `--events`. Returns the exit code, which says whether `--fail-on`
/// was met.
///
/// # Errors
/// See [`run`].
pub fn answer(mode: Mode, live: &LiveArgs, events: bool, verbose: u8) -> Result<u8, Failure> {
    answer_to(&TraceRequest::for_mode(mode, events, verbose), live, events)
}

/// Runs a command that has further flags of its own. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`run`].
pub fn answer_to(request: &TraceRequest, live: &LiveArgs, events: bool) -> Result<u8, Failure> {
    let sink = Sink::open(live.output.output.as_deref())?;
    let output_options = output_options(&live.output, live.top, request.verbose, events, &sink);
    let worst = run(live, request, output_options, sink)?;
    Ok(FailOn::code(live.fail_on, worst))
}
