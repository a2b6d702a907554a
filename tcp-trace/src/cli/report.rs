// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace report`: one HTML page that explains a run to people who weren't there.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    duration,
    filters::Filters,
    live::{self, FailOn, TierChoice},
    progress::Watched,
    replay::Recording,
    share,
};
use crate::{
    exit::Failure,
    export::whole_file::WholeFile,
    mode::Mode,
    probes::{bursts::PortProbes, table::Signal},
    recording::player::Player,
    report::Report,
    session::request::{RING_KIB, RunOptions, TraceRequest},
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace report --duration 30s --output report.html    everything that can be traced, for half a minute
  sudo tcp-trace report --output report.html                   until Ctrl-C
  sudo tcp-trace report --duration 30s --stacks -o report.html with a flame graph of who calls connect()
  sudo tcp-trace report --duration 10s --port 3306 > mysql.html
  tcp-trace replay incident.rec report --output report.html    of what was recorded, without root, on any machine";

/// Write one self-contained HTML page about a run: summary in words, causes and fixes, charts over time
///
/// The page is a single file that loads nothing: open it in any browser, on a phone, print it, send it. It covers what
/// `doctor --watch` covers. Only its owner can read the file, and the file appears once it is complete.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Stop after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Time between samples: the finest resolution of the charts
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    /// Also collect the call stacks of connect(), as a flame graph in the page; this reads 8 KiB of user stack per
    /// call. A recording that contains stacks always shows them
    #[arg(long, help_heading = "Tracing")]
    stacks: bool,
    /// Exit with code 3 if any finding is at least this severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Rows to show in each table
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1024))]
    top: u16,
    #[command(flatten)]
    filters: Filters,
    /// How programs attach: the best tier that works, or only this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// Budget for tracing, programs and agent together, as a share of the machine (all CPUs); 100% means no limit
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Also record everything that the page is based on in this file, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
    /// A recording to read instead of tracing.
    #[arg(skip)]
    pub(super) recording: Option<Recording>,
}

/// Traces until the run ends and writes the page. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`live::follow`]; also when the page cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    // Opens the output first, so that a path that cannot be written fails before the run.
    let target = PageTarget::open(args.output.as_deref())?;
    let options = args.options()?;
    let stacks = args.shows_stacks()?.then_some(Signal::Stack);
    let request = TraceRequest {
        events: stacks.into_iter().collect(),
        extra: stacks.into_iter().collect(),
        port_probes: PortProbes::Auto,
        outputs: args.output.clone().into_iter().collect(),
        ..TraceRequest::for_mode(Mode::Doctor, false, verbose)
    };
    let top = usize::from(args.top);
    let ran = live::follow(&options, args.recording.as_ref(), &request, |known| {
        let begin_ns = known.begin.monotonic_ns;
        Ok(Watched::new(Report::new(known, top), "tracing", begin_ns, options.duration))
    })?;
    let report = ran.consumer.consumer;
    target.write(report.page().unwrap_or_default())?;
    ran.recorded.map(|()| FailOn::code(args.fail_on, report.worst()))
}

impl Args {
    fn shows_stacks(&self) -> Result<bool, Failure> {
        let Some(recording) = self.recording.as_ref().filter(|_| !self.stacks) else { return Ok(self.stacks) };
        Ok(Player::open(&recording.file)?.known().streamed.contains(&Signal::Stack))
    }

    fn options(&self) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            duration: self.duration,
            interval: self.interval,
            tier: self.tier.tier(),
            max_overhead: self.max_overhead,
            ring_kib: RING_KIB,
            filters: self.filters.config(self.recording.is_some())?,
            record: self.record.clone(),
            ready_file: self.ready_file.clone(),
        })
    }
}

/// Where the page is written.
enum PageTarget {
    File(Box<WholeFile>),
    StandardOutput,
}

impl PageTarget {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) => Ok(Self::File(Box::new(WholeFile::create(path)?))),
            None if io::stdout().is_terminal() => Err(Failure::Usage {
                headline: "refusing to write HTML to a terminal".into(),
                try_next: vec!["add --output report.html".into()],
            }),
            None => Ok(Self::StandardOutput),
        }
    }

    fn write(self, page: &str) -> Result<(), Failure> {
        let (to, written) = match self {
            Self::File(mut file) => match file.write_all(page.as_bytes()) {
                Ok(()) => return file.keep(),
                Err(error) => ("the report", Err(error)),
            },
            Self::StandardOutput => ("standard output", io::stdout().write_all(page.as_bytes())),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| Failure::Output { to: to.into(), source }),
        }
    }
}
