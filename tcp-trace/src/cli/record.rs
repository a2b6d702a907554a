// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace record`: everything, into a file.

use std::{path::PathBuf, time::Duration};

use super::{
    duration,
    filters::Filters,
    live::{self, Asked, LiveArgs, TierChoice},
    output::Output,
    share, size,
};
use crate::{
    answer::Format,
    exit::Failure,
    probes::{bursts::PortProbes, table::Signal},
    question::Question,
    recording::{recorder::Recorder, store::Rotation, writer::Target},
};

const EXAMPLES: &str = "\
The file can be read by its owner only. It is whole at any moment: what kill -9, a full disk or the loss of power cuts off can
be replayed up to its last interval.

Examples:
  sudo tcp-trace record incident.rec --duration 60s              all signals, every event
  tcp-trace replay incident.rec doctor                           what was wrong, on any machine, without root
  sudo tcp-trace record day.rec --rotate-size 256M --keep-files 8   day.rec, day.rec.1 ... day.rec.8, the oldest last";

/// Record every event and all that answers rest on, for `replay`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to; one that is there already is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stop by itself after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// How often sockets and totals are looked at: a replay answers not more often than this
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    /// Begin another file once this one has so many bytes: 64M, 2G
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Rotation")]
    rotate_size: Option<u64>,
    /// Begin another file once this one is so old
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, help_heading = "Rotation")]
    rotate_every: Option<Duration>,
    /// Files that are kept beside the one that is written: FILE.1 is the youngest
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=9999), help_heading = "Rotation")]
    keep_files: u16,
    #[command(flatten)]
    filters: Filters,
    /// How programs attach: the best that works, or just this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// What it may cost, programs and agent together, as a share of one CPU; 100% = whatever it takes
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// The stacks of whoever calls connect() as well, for `replay FILE flamegraph`: 8 KiB a call are looked through
    #[arg(long)]
    stacks: bool,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
}

/// Records until the end.
///
/// # Errors
/// When nothing can be traced here, or the recording cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<(), Failure> {
    let stacks = args.stacks.then_some(Signal::Stack);
    let asked = Asked {
        events: [Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State].into_iter().chain(stacks).collect(),
        extra: stacks.into_iter().collect(),
        port_probes: PortProbes::Auto,
        ..Asked::plainly(Question::Doctor, false, verbose)
    };
    let rotation = Rotation { size: args.rotate_size, every: args.rotate_every, kept: args.keep_files };
    let target = Target { path: args.file.clone(), rotation, reach: None };
    live::follow(&args.live(), &asked, |known| Recorder::begin(target, known)).map(drop)
}

impl Args {
    fn live(&self) -> LiveArgs {
        LiveArgs {
            duration: self.duration,
            interval: self.interval,
            top: 1,
            filters: self.filters.clone(),
            output: Output { format: Format::Text, output: None },
            tier: self.tier,
            max_overhead: self.max_overhead,
            ring_kib: 4096,
            fail_on: None,
            record: None,
            ready_file: self.ready_file.clone(),
            recording: None,
        }
    }
}
