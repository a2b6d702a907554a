// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace connect-latency`: why is connect() slow or failing, right now?

use std::time::Duration;

use super::{
    duration,
    live::{self, FailOn, LiveArgs},
};
use crate::{
    exit::Failure,
    export::{format::Format, sink::Sink},
    mode::Mode,
    probes::{bursts::PortProbes, table::Signal},
    session::{output::OutputOptions, request::TraceRequest},
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace connect-latency                                  a screen, once a second; Ctrl-C gives the final answer
  sudo tcp-trace connect-latency --duration 30s --format json     one line per connect and per summary
  sudo tcp-trace connect-latency --second-pass-only               list the connects that fell over the parity cliff
  sudo tcp-trace connect-latency --comm php-fpm --port 3306       one client, one service
  sudo tcp-trace connect-latency --duration 10s --fail-on warning && echo healthy";

/// Trace every connect(): port search, handshake, outcome, cause and fix
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// List only connects that took at least this long (totals count all)
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    min_latency: Option<Duration>,
    /// List only connects whose search went through the second parity pass (totals count all)
    #[arg(long)]
    second_pass_only: bool,
    /// What to write [default: summary; for json connect,summary; for csv connect]
    #[arg(long, value_enum, value_delimiter = ',')]
    events: Vec<EventKind>,
    #[command(flatten)]
    pub(super) live: LiveArgs,
    /// Find out why candidate ports are refused, with a probe on every candidate
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    port_probes: PortProbes,
    /// Attempts in progress that are followed at once, rounded up to a power of two (at least 8); further ones are only
    /// counted
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1 << 20), help_heading = "Tracing")]
    max_attempts: u32,
    /// Measure what tracing adds to a connect, with 160 refused connects on loopback before tracing begins
    ///
    /// Calibration runs automatically where the kernel keeps no run-time statistics that tcp-trace may read (before
    /// 5.8, or without CAP_SYS_ADMIN). Those statistics cover the time within programs; calibration also covers the
    /// trampoline or breakpoint that leads there. Its connects never appear in results.
    #[arg(long, help_heading = "Tracing")]
    calibrate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EventKind {
    /// A line for every connect
    Connect,
    /// A line for every socket that enters or leaves TIME_WAIT
    TimeWait,
    /// A summary at every interval
    Summary,
}

/// Traces until the run ends. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let sink = Sink::open(args.live.output.output.as_deref())?;
    let output_options = args.output_options(verbose, &sink);
    let request = TraceRequest {
        extra: Vec::new(),
        each_connect: output_options.connects,
        mode: Mode::ConnectLatency,
        events: args.asks(EventKind::TimeWait).then_some(Signal::TimeWait).into_iter().collect(),
        port_probes: args.port_probes,
        max_attempts: args.max_attempts,
        calibrate: args.calibrate,
        outputs: Vec::new(),
        verbose,
    };
    let worst = live::run(&args.live, &request, output_options, sink)?;
    Ok(FailOn::code(args.live.fail_on, worst))
}

impl Args {
    fn asks(&self, kind: EventKind) -> bool {
        self.events.contains(&kind)
    }

    fn output_options(&self, verbose: u8, sink: &Sink) -> OutputOptions {
        let format = self.live.output.format;
        let by_default = self.events.is_empty();
        let narrowed = self.min_latency.is_some() || self.second_pass_only;
        OutputOptions {
            format,
            connects: self.asks(EventKind::Connect) || (by_default && (format != Format::Text || narrowed)),
            signals: self.asks(EventKind::TimeWait),
            intervals: self.asks(EventKind::Summary) || by_default,
            min_latency: self.min_latency,
            second_pass_only: self.second_pass_only,
            layout: live::layout(self.live.top, verbose, sink),
        }
    }
}
