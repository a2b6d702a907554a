// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace what-if`: what would another range, more addresses or fewer connects do?

pub(crate) mod writer;

use std::time::Duration;

use super::{
    duration,
    live::{self, LiveArgs},
    page::Page,
    progress::{self, Watched},
};
use crate::{
    exit::Failure,
    session::request::TraceRequest,
    session_info::SessionInfo,
    what_if::{
        QUESTION,
        change::Change,
        tier::{self, Tier},
        usage_model::{ForecastRequest, UsageModel},
    },
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace what-if --duration 10s                      every change that is sensible on this kernel, side by side
  sudo tcp-trace what-if --duration 10s --range 1024-65535   one change; with several, each and all together
  sudo tcp-trace what-if --port 3306 --requests-per-connection 10
  tcp-trace what-if --hosts 4 --rate 2000 --lasts 1s         how many proxies or NAT hosts, without looking at anything";

/// What another range, more addresses or fewer connects would do to the port search here
///
/// Surveys sockets and connects as `ports` does, then repeats this kernel's port search over the same ports: once with
/// the sockets as they are, and once after as many connections have been made anew. Without a change on the command
/// line, what-if tries every change that is sensible on this kernel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Another net.ipv4.ip_local_port_range
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports, help_heading = "Changes")]
    range: Option<(u16, u16)>,
    /// Number of source addresses to rotate through
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=4096), help_heading = "Changes")]
    source_addresses: Option<u32>,
    /// IP_LOCAL_PORT_RANGE on the sockets of the program
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports, help_heading = "Changes")]
    local_port_range: Option<(u16, u16)>,
    /// Another net.ipv4.ip_local_port_step_width (7.1 and later)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65_535), help_heading = "Changes")]
    step_width: Option<u32>,
    /// net.ipv4.tcp_tw_reuse=1
    #[arg(long, help_heading = "Changes")]
    tw_reuse: bool,
    /// Keep-alive: number of requests to send over a connection that carries one today
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000), help_heading = "Changes")]
    requests_per_connection: Option<u32>,
    /// Searches per second to assume instead of the measured rate; with --hosts: connects per second of all hosts
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Size a tier of this many proxies or NAT hosts instead: for one destination, without surveying this machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), requires = "rate", help_heading = "A tier")]
    hosts: Option<u32>,
    /// How long a connection of that tier lasts, before TIME_WAIT
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", requires = "hosts", help_heading = "A tier")]
    lasts: Duration,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Traces until the run ends, then reports.
///
/// # Errors
/// See [`live::follow`]; also for changes that this kernel cannot make.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let page = Page::open(args.live.output.output.as_deref())?;
    let layout = page.layout(args.live.top, 0);
    let format = args.live.output.format;
    if let (Some(hosts), Some(rate)) = (args.hosts, args.rate) {
        let tier = Tier {
            hosts,
            addresses: args.source_addresses.unwrap_or(1),
            connects_per_second: rate / f64::from(args.requests_per_connection.unwrap_or(1)),
            lasts_s: args.lasts.as_secs_f64(),
            range: args.range.unwrap_or(tier::DEFAULT_RANGE),
        };
        return page.write(&writer::tier(&tier, format, layout)).map(|()| 0);
    }
    let outputs = args.live.output.output.clone().into_iter().collect();
    let traced = TraceRequest { outputs, ..TraceRequest::for_mode(QUESTION, false, verbose) };
    let changes = args.changes();
    let request = ForecastRequest { changes, searches_per_second: args.rate, top: usize::from(args.live.top) };
    let ran = live::follow(&args.live.options()?, args.live.recording.as_ref(), &traced, |known| {
        possible(&request.changes, known)?;
        Ok(Watched::new(UsageModel::new(known, request), "tracing", known.begin.monotonic_ns, args.live.duration))
    })?;
    let bar = progress::bar("searching", Some(0));
    let forecast = ran.consumer.consumer.forecast(|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    page.write(&writer::forecast(&forecast, format, layout))?;
    ran.recorded.map(|()| 0)
}

impl Args {
    fn changes(&self) -> Vec<Change> {
        let all = [
            self.range.map(|(low, high)| Change::Range(low, high)),
            self.source_addresses.map(Change::SourceAddresses),
            self.local_port_range.map(|(low, high)| Change::LocalPortRange(low, high)),
            self.step_width.map(Change::StepWidth),
            self.tw_reuse.then_some(Change::TwReuse),
            self.requests_per_connection.map(Change::RequestsPerConnection),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Rejects a change that this kernel does not support.
fn possible(changes: &[Change], known: &SessionInfo) -> Result<(), Failure> {
    let warnings = changes.iter().find_map(|change| match change {
        Change::LocalPortRange(..) if !known.rules.socket_range => {
            Some("this kernel has no IP_LOCAL_PORT_RANGE: it was added in 6.3")
        }
        Change::StepWidth(_) if !known.rules.step_width => {
            Some("this kernel has no ip_local_port_step_width: it was added in 7.1")
        }
        _ => None,
    });
    match warnings {
        Some(headline) if known.rules_known => Err(Failure::KernelLacks {
            headline: headline.into(),
            tried: Vec::new(),
            try_next: vec![
                "tcp-trace what-if without that flag, which tries every change that is sensible on this kernel".into(),
            ],
        }),
        _ => Ok(()),
    }
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let ends = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    ends.filter(|(low, high)| *low > 0 && low <= high)
        .ok_or_else(|| "expected two ports, the lower one first, such as 1024-65535".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e9);
    rate.ok_or_else(|| "expected a rate per second above 0".into())
}
