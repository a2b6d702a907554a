// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace doctor`: what is wrong here, and what this machine can show. Prints what the live path found, then the
//! facts and the plan that it went by. Changes nothing.

mod facts;
mod verdicts;

use std::{path::PathBuf, time::Duration};

use self::verdicts::Verdict;
use super::{
    duration,
    filters::Filters,
    live::{self, Asked, FailOn, LiveArgs, Prepared, TierChoice},
    output::Output,
    replay::Recording,
    share,
};
use crate::{
    answer::{self, Answer},
    exit::Failure,
    export::sink::Sink,
    kernel::Facts,
    probes::bursts::PortProbes,
    question::Question,
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace doctor --watch 10s                            all signals for ten seconds; causes, worst first
  sudo tcp-trace doctor --watch 10s --fail-on warning          exit code 3 if there is one
  sudo tcp-trace doctor --watch 10s --format json | jq -c 'select(.type == \"finding\")'
  tcp-trace doctor                                             sockets and limits as they are, and what could be traced";

/// Between two looks at the sockets.
const INTERVAL: Duration = Duration::from_secs(1);

/// Say what is wrong here, worst cause first, and what this machine can show
///
/// Without --watch: what the sockets, counters and limits tell at a glance. Attaches every program for a moment if it may,
/// so that the verdicts are what tracing would get. Needs no root: it then says what root would be tried for. Changes
/// nothing on the system.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trace everything for this long first
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    watch: Option<Duration>,
    /// Exit with code 3 if there was a finding this bad
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Findings, and rows of the table of limits, to show
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    top: u16,
    #[command(flatten)]
    filters: Filters,
    /// How it is written
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// How programs attach: the best that works, or just this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// What watching may cost, programs and agent together, as a share of one CPU; 100% = whatever it takes
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Record everything that the answer rests on in this file as well, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
    /// What happens is read from a recording.
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

/// Looks, tries and reports; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// When no tier can trace connects here, or the output cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let mut live = args.live();
    let sink = Sink::open(live.output.output.as_deref())?;
    let asked = Asked { port_probes: PortProbes::Auto, ..Asked::plainly(Question::Doctor, false, verbose) };
    if live.recording.is_some() {
        return replay(args, &live, &asked, sink);
    }
    let mut prepared = live::prepare(&live, &asked)?;
    let failed = prepared.untraceable.take();
    let verdicts = verdicts(&prepared, failed.as_ref());
    if args.watch.is_none() || !verdicts.iter().any(Verdict::works) {
        prepared.attached = None;
        live.duration = Some(Duration::ZERO);
    }
    let (facts, plan) = (prepared.facts.clone(), prepared.plan.clone());
    let wanted = answer::Wanted { intervals: false, ..live::wanted(&live, false, &sink) };
    let answer = live::watch(prepared, &live, &asked, |known| Answer::new(Question::Doctor, known, wanted, sink))?;
    let code = FailOn::code(args.fail_on, answer.worst());
    let text = match args.format {
        Format::Text => format!("\n{}\n{}", facts::text(&facts), verdicts::text(&verdicts, &plan)),
        Format::Json => json(&facts, &verdicts)?,
    };
    append(answer, &text)?;
    failed.map_or(Ok(()), Err)?;
    verdicts::hope(&verdicts, &plan)?;
    Ok(code)
}

fn replay(args: &Args, live: &LiveArgs, asked: &Asked, sink: Sink) -> Result<u8, Failure> {
    let wanted = answer::Wanted { intervals: false, ..live::wanted(live, false, &sink) };
    let worst = live::run(live, asked, wanted, sink)?;
    Ok(FailOn::code(args.fail_on, worst))
}

impl Args {
    fn live(&self) -> LiveArgs {
        let format = match self.format {
            Format::Text => answer::Format::Text,
            Format::Json => answer::Format::Json,
        };
        LiveArgs {
            duration: self.watch,
            interval: INTERVAL,
            top: self.top,
            filters: self.filters.clone(),
            output: Output { format, output: self.output.clone() },
            tier: self.tier,
            max_overhead: self.max_overhead,
            ring_kib: 4096,
            fail_on: self.fail_on,
            record: self.record.clone(),
            ready_file: self.ready_file.clone(),
            recording: self.recording.clone(),
        }
    }
}

fn verdicts(prepared: &Prepared, failed: Option<&Failure>) -> Vec<Verdict> {
    match (&prepared.attached, failed) {
        (Some(attached), _) => Verdict::all(&prepared.plan, Ok(&attached.trials)),
        (None, Some(failure)) => Verdict::all(&prepared.plan, Err(&failure.to_string())),
        (None, None) => Verdict::all(&prepared.plan, Ok(&[])),
    }
}

fn json(facts: &Facts, verdicts: &[Verdict]) -> Result<String, Failure> {
    let verdicts = verdicts.iter().map(serde_json::to_string);
    let lines = facts::json(facts).and_then(|facts| facts.into_iter().map(Ok).chain(verdicts).collect());
    let lines: Vec<String> =
        lines.map_err(|error| Failure::Output { to: "standard output".into(), source: error.into() })?;
    Ok(lines.join("\n") + "\n")
}

fn append(answer: Answer, text: &str) -> Result<(), Failure> {
    let mut sink = answer.into_sink();
    sink.write(text.as_bytes())?;
    sink.flush().map(|_| ())
}
