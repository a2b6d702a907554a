// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace report`: one page that explains a run to whoever was not there.

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

/// Write one self-contained HTML page about a run: the answer in words, causes and fixes, charts over time
///
/// The page needs nothing beside it and loads nothing: open it in any browser, on a phone, print it, send it. It asks what
/// `doctor --watch` asks. Only its owner may read the file; it appears once it is complete.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Stop by itself after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Between two looks: the finest that charts tell apart
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    /// Stacks of whoever calls connect() as well, as a flame graph in the page: 8 KiB a call are looked through. From a
    /// recording that has them they are always shown
    #[arg(long, help_heading = "Tracing")]
    stacks: bool,
    /// Exit with code 3 if there was a finding this bad
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Rows to show of each table
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1024))]
    top: u16,
    #[command(flatten)]
    filters: Filters,
    /// How programs attach: the best that works, or just this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// What tracing may cost, programs and agent together, as a share of the machine (all CPUs); 100% = whatever it takes
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Record everything that the page rests on in this file as well, for `tcp-trace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
    /// What happens is read from a recording.
    #[arg(skip)]
    pub(super) recording: Option<Recording>,
}

/// Looks until the end and writes the page; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`live::follow`], and when the page cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    // Who cannot write to the place would learn it only after the run.
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
        Ok(Watched::new(Report::new(known, top), "looking", begin_ns, options.duration))
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

/// Where the page goes.
enum PageTarget {
    File(Box<WholeFile>),
    StandardOutput,
}

impl PageTarget {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) => Ok(Self::File(Box::new(WholeFile::create(path)?))),
            None if io::stdout().is_terminal() => Err(Failure::Usage {
                headline: "a page of HTML is nothing to read on a terminal".into(),
                try_next: vec!["--output report.html".into()],
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
