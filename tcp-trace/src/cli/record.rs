// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace record`: writes all events of a run to a file.

use std::{path::PathBuf, time::Duration};

use super::{duration, filters::Filters, live::TierChoice, share, size};
use crate::{
    exit::Failure,
    mode::Mode,
    probes::{bursts::PortProbes, table::Signal},
    recording::{
        flight::FlightRecorder,
        recorder::Recorder,
        redact::{self, Redacted},
        ring::Retention,
        store::Rotation,
        trigger::Trigger,
        writer::Target,
    },
    session::{
        request::{RING_KIB, RunOptions, TraceRequest},
        start,
    },
    session_info::SessionInfo,
};

const EXAMPLES: &str = "\
Only its owner can read the file. It stays readable up to the last complete block: after kill -9, a full disk or a power
failure, replay works up to the last interval.

Examples:
  sudo tcp-trace record incident.rec --duration 60s              all signals, every event
  tcp-trace replay incident.rec doctor                           what was wrong, on any machine, without root
  sudo tcp-trace record day.rec --rotate-size 256M --keep-files 8   day.rec, day.rec.1 ... day.rec.8, the oldest last
  sudo tcp-trace record incident.rec --trigger 'p99(port_search) > 1ms or outcome = no_port' --keep 60s --after 10s";

/// Record every event and all that reports are based on, for `replay`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Output file (overwritten if it exists; with --trigger, existing files are kept and the name gets .1, .2 and so
    /// on)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stop after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// How often sockets and totals are read; a replay cannot report more often than this
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    /// Start a new file once this one reaches this size, for example 64M or 2G
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Rotation")]
    rotate_size: Option<u64>,
    /// Start a new file once this one reaches this age
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, help_heading = "Rotation")]
    rotate_every: Option<Duration>,
    /// Number of older files to keep beside the current one; FILE.1 is the most recent
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=9999), help_heading = "Rotation")]
    keep_files: u16,
    /// Keep history in memory, and write it only once this condition holds, for example: p99(port_search) > 1ms or
    /// outcome = no_port
    ///
    /// Fields of a connect: port_search, handshake, total (800us, 1ms, 2s), ports_visited, outcome, comm, pid, port.
    /// Fields of an interval: p50, p90, p99 or max of one of the first four, count(OUTCOME), share(outcome != OUTCOME),
    /// count or share(second_pass), headroom (500, 20 %), finding = CODE. Combine them with and, or and parentheses.
    #[arg(long, value_name = "CONDITION", value_parser = trigger, conflicts_with_all = ["rotate_size", "rotate_every"], help_heading = "Flight recorder")]
    trigger: Option<Trigger>,
    /// How much history to keep before the trigger
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "60s", requires = "trigger", help_heading = "Flight recorder")]
    keep: Duration,
    /// Upper limit of the memory for that history
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "64M", requires = "trigger", help_heading = "Flight recorder")]
    keep_size: u64,
    /// How long to go on recording after the trigger, before recording ends
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "10s", requires = "trigger", help_heading = "Flight recorder")]
    after: Duration,
    /// Write pseudonyms for addresses, programs and cgroups, so that the file can be shared; stacks are left out
    #[arg(long, conflicts_with_all = ["trigger", "stacks"])]
    redact: bool,
    #[command(flatten)]
    filters: Filters,
    /// How programs attach: the best tier that works, or only this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// Budget for tracing, programs and agent together, as a share of the machine (all CPUs); 100% means no limit
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Also record the call stacks of connect(), for `replay FILE flamegraph`; this reads 8 KiB of user stack per call
    #[arg(long)]
    stacks: bool,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
}

/// Records until the run ends.
///
/// # Errors
/// When nothing can be traced here, or the recording cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<(), Failure> {
    let stacks = args.stacks.then_some(Signal::Stack);
    let request = TraceRequest {
        events: [Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State].into_iter().chain(stacks).collect(),
        each_connect: true,
        extra: stacks.into_iter().collect(),
        port_probes: PortProbes::Auto,
        outputs: vec![args.file.clone()],
        ..TraceRequest::for_mode(Mode::Doctor, false, verbose)
    };
    let retention = Retention { time: args.keep, bytes: usize::try_from(args.keep_size).unwrap_or(usize::MAX) };
    let rotation = Rotation { size: args.rotate_size, every: args.rotate_every, kept: args.keep_files };
    let target = Target { path: args.file.clone(), rotation, retention: args.trigger.is_some().then_some(retention) };
    let options = args.options()?;
    let prepared = start::prepare(&options, &request)?;
    if prepared.attached.is_none() {
        // What can be read without tracing is no recording of what happens.
        prepared.machine.ensure_traceable()?;
        return Err(prepared.untraceable.unwrap_or_else(not_root));
    }
    if args.redact {
        let recorder = |known: &SessionInfo| Recorder::begin(target, &redact::session_info(known));
        return start::watch(prepared, &options, &request, |known| recorder(known).map(Redacted::new)).map(drop);
    }
    let Some(trigger) = args.trigger.clone() else {
        return start::watch(prepared, &options, &request, |known| Recorder::begin(target, known)).map(drop);
    };
    let armed = |known: &SessionInfo| FlightRecorder::arm(target, trigger, args.after, known);
    if !start::watch(prepared, &options, &request, armed)?.consumer.has_fired() {
        tracing::warn!("--trigger was not met: {} was not written", args.file.display());
    }
    Ok(())
}

fn trigger(text: &str) -> Result<Trigger, String> {
    Trigger::parse(text).map_err(|wrong| wrong.point(text))
}

fn not_root() -> Failure {
    Failure::NotPermitted {
        headline: "nothing can be traced with these privileges".into(),
        tried: Vec::new(),
        try_next: vec!["sudo tcp-trace record FILE".into()],
    }
}

impl Args {
    fn options(&self) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            duration: self.duration,
            interval: self.interval,
            tier: self.tier.tier(),
            max_overhead: self.max_overhead,
            ring_kib: RING_KIB,
            filters: self.filters.config(false)?,
            record: None,
            ready_file: self.ready_file.clone(),
        })
    }
}
