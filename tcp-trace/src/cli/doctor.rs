// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace doctor`: what is wrong here, and what can this machine show? Prints the findings of the live path, then
//! the facts and the plan that tracing used. Changes nothing.

use std::{path::PathBuf, time::Duration};

use super::{
    duration,
    filters::Filters,
    live::{self, FailOn, TierChoice},
    output::Output,
    replay::Recording,
    share,
};
use crate::{
    exit::Failure,
    export::{format, sink::Sink},
    machine::Machine,
    mode::Mode,
    probes::bursts::PortProbes,
    session::{
        output::{self, Answer},
        request::{RING_KIB, RunOptions, TraceRequest},
        start::{self, Ran},
    },
    session_info::SessionInfo,
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace doctor --watch 10s                            all signals for ten seconds; causes, worst first
  sudo tcp-trace doctor --watch 10s --fail-on warning          exit code 3 if there is one
  sudo tcp-trace doctor --watch 10s --format json | jq -c 'select(.type == \"finding\")'
  tcp-trace doctor                                             sockets and limits as they are, and what could be traced";

/// Time between two surveys of the sockets.
const INTERVAL: Duration = Duration::from_secs(1);

/// Say what is wrong here, worst cause first, and what this machine can show
///
/// Without --watch, doctor reads sockets, counters and limits once. If it has the privileges, it attaches every program
/// for a moment, so that its verdicts are what tracing would get. It needs no root; without root it lists what it would
/// try as root. It changes nothing on the system.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trace everything for this long first
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    watch: Option<Duration>,
    /// Exit with code 3 if any finding is at least this severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// How many findings, and rows of the table of limits, to show
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    top: u16,
    #[command(flatten)]
    filters: Filters,
    /// Output format
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// How programs attach: the best tier that works, or only this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// Budget for tracing, programs and agent together, as a share of the machine (all CPUs); 100% means no limit
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Also record everything that the report is based on in this file, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
    /// A recording to read instead of tracing.
    #[arg(skip)]
    pub(super) recording: Option<Recording>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    /// One object a line: findings, worst first; limits; a summary; facts; verdicts
    Json,
}

/// What follows findings in text, in place of what they do not need.
const WITHOUT_WATCH: &str = "\nwhat this machine can show, and why not more: tcp-trace doctor, or -v\n";

/// Traces or looks once, then reports. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// When no tier can trace connects here, or the output cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let sink = Sink::open(args.output.as_deref())?;
    let request =
        TraceRequest { port_probes: PortProbes::Auto, ..TraceRequest::for_mode(Mode::Doctor, false, verbose) };
    let output_options = output::OutputOptions {
        intervals: false,
        ..live::output_options(&args.output(), args.top, verbose, false, &sink)
    };
    let mut failed = None;
    let mut machine = None;
    let answer = |known: &SessionInfo| {
        machine = Some(known.machine.clone());
        Answer::new(Mode::Doctor, known, output_options, sink)
    };
    let mut options = args.options()?;
    let Ran { consumer: answer, recorded } = if let Some(recording) = &args.recording {
        live::follow(&options, Some(recording), &request, answer)?
    } else {
        let mut prepared = start::prepare(&options, &request)?;
        failed = prepared.untraceable.take();
        if args.watch.is_none() || !prepared.machine.traces() {
            prepared.attached = None;
            options.duration = Some(Duration::ZERO);
        }
        start::watch(prepared, &options, &request, answer)?
    };
    let code = FailOn::code(args.fail_on, answer.worst());
    if let Some(machine) = machine {
        let findings_alone = (args.watch.is_some() || args.recording.is_some()) && machine.traces() && verbose == 0;
        let words = match args.format {
            Format::Text if findings_alone => WITHOUT_WATCH.to_owned(),
            format => text(&machine, format)?,
        };
        append(answer, &words)?;
        failed.map_or(Ok(()), Err)?;
        machine.ensure_traceable()?;
    }
    recorded.map(|()| code)
}

fn text(machine: &Machine, format: Format) -> Result<String, Failure> {
    match format {
        Format::Text => Ok(machine.text()),
        Format::Json => {
            machine.json().map_err(|error| Failure::Output { to: "standard output".into(), source: error.into() })
        }
    }
}

impl Args {
    fn options(&self) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            duration: self.watch,
            interval: INTERVAL,
            tier: self.tier.tier(),
            max_overhead: self.max_overhead,
            ring_kib: RING_KIB,
            filters: self.filters.config(self.recording.is_some())?,
            record: self.record.clone(),
            ready_file: self.ready_file.clone(),
        })
    }

    fn output(&self) -> Output {
        let format = match self.format {
            Format::Text => format::Format::Text,
            Format::Json => format::Format::Json,
        };
        Output { format, output: self.output.clone() }
    }
}

fn append(answer: Answer, text: &str) -> Result<(), Failure> {
    let mut sink = answer.into_sink();
    sink.write(text.as_bytes())?;
    sink.flush().map(|_| ())
}
