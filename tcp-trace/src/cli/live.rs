// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every live command has in common: its flags, and the way from them to a run.

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

/// Flags of every live command; a command whose answer is no text has output flags of its own.
#[derive(Debug, clap::Args)]
pub struct LiveArgs<O: clap::Args = Output> {
    /// Stop by itself after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Between two answers
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    pub interval: Duration,
    /// Rows to show of each table
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub top: u16,
    /// Which events are of interest.
    #[command(flatten)]
    pub filters: Filters,
    /// Where answers go.
    #[command(flatten)]
    pub output: O,
    /// How programs attach: the best that works, or just this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    pub tier: TierChoice,
    /// What tracing may cost, programs and agent together, as a share of the machine (all CPUs); 100% = whatever it takes
    ///
    /// What is counted rests on totals by process and destination, which the kernel side keeps for every connect and which are
    /// never shed. Over the budget detail is, one step at a time: events of each, where they were asked for; the port
    /// probes; the few examples that are sent all the same; and as the very last, all but one connect in 2, 4, ... 1024,
    /// whose figures then are estimates and marked so. It comes back within seconds once it fits again. Each step is told,
    /// and the one in force stands in every answer.
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "1%", help_heading = "Tracing")]
    pub max_overhead: f64,
    /// Size of the ring buffer between kernel and agent, in KiB
    #[arg(long, value_name = "KIB", default_value_t = RING_KIB, value_parser = clap::value_parser!(u32).range(4..=1 << 20), help_heading = "Tracing")]
    pub ring_kib: u32,
    /// Exit with code 3 if there was a finding this bad
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Record everything that the answer rests on in this file as well, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    pub ready_file: Option<PathBuf>,
    /// What happens is read from a recording.
    #[arg(skip)]
    pub recording: Option<Recording>,
}

/// `--tier`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TierChoice {
    /// The best that works
    #[default]
    Auto,
    /// BPF trampolines
    Fentry,
    /// Breakpoints
    Kprobe,
    /// Tracepoints alone
    Tracepoint,
}

/// `--fail-on`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Good to know
    Info,
    /// It costs
    Warning,
    /// Connects fail, or most of their cost is this
    Critical,
}

impl FailOn {
    /// The exit code of an answer whose worst finding is this.
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

/// Traces, or reads the recording, until the end; gives back who followed.
///
/// # Errors
/// As [`start::prepare`] and [`start::watch`]; when the recording does not hold what is asked.
pub fn follow<F: Consumer>(
    options: &RunOptions,
    recording: Option<&Recording>,
    request: &TraceRequest,
    consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
) -> Result<Ran<F>, Failure> {
    match recording {
        Some(_) if options.record.is_some() => Err(Failure::Usage {
            headline: "a replay records nothing: --record is for live commands".into(),
            try_next: vec!["cp, or `tcp-trace replay FILE redact OTHER`".into()],
        }),
        Some(recording) => Ok(Ran { consumer: recording.feed(options, request, consumer)?, recorded: Ok(()) }),
        None => start::watch(start::prepare(options, request)?, options, request, consumer),
    }
}

/// Traces, or reads the recording, and answers until the end; the worst finding.
///
/// # Errors
/// As [`follow`].
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

/// What a plain command writes: `events` is a line for each event of its signal.
pub fn output_options(output: &Output, top: u16, events: bool, sink: &Sink) -> OutputOptions {
    OutputOptions {
        format: output.format,
        connects: false,
        signals: events,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout: layout(top, sink),
    }
}

/// What a screen may take up.
pub fn layout(top: u16, sink: &Sink) -> Layout {
    Layout { width: sink.width(), top: usize::from(top), colours: sink.colours(), unicode: sink.unicode() }
}

/// Answers a question that has no flags of its own but `--events`; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`run`].
pub fn answer(mode: Mode, live: &LiveArgs, events: bool, verbose: u8) -> Result<u8, Failure> {
    answer_to(&TraceRequest::for_mode(mode, events, verbose), live, events)
}

/// The same for one that has.
///
/// # Errors
/// As [`run`].
pub fn answer_to(request: &TraceRequest, live: &LiveArgs, events: bool) -> Result<u8, Failure> {
    let sink = Sink::open(live.output.output.as_deref())?;
    let output_options = output_options(&live.output, live.top, events, &sink);
    let worst = run(live, request, output_options, sink)?;
    Ok(FailOn::code(live.fail_on, worst))
}
