// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace connect-latency`: why is connect() slow or failing, right now?

use std::{fs::File, path::PathBuf, time::Duration};

use tcp_trace_common::{attempts, config::Config};

use super::{duration, filters::Filters, output::Output};
use crate::{
    aggregate::findings::Severity,
    answer::{Answer, Format, Setting, Wanted},
    clock::Anchor,
    decode::Decoder,
    exit::{FAIL_ON, Failure, Tried},
    export::sink::Sink,
    governor::{Governor, calibrate::Medians, statistics},
    kernel::{Facts, Roots},
    pipeline::{self, Pace},
    probes::{
        OBJECT,
        attach::{Attached, Load, Loader, attach},
        bursts::{Bursts, PortProbes},
        plan::{self, plan},
        table::Signal,
        tier::Tier,
    },
    source::live::Live,
    view::connect::Layout,
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
    /// Stop by itself after this long [default: until Ctrl-C]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Between two answers
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    /// List only connects that took at least this long (totals count all)
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    min_latency: Option<Duration>,
    /// List only connects whose search went through the second parity pass (totals count all)
    #[arg(long)]
    second_pass_only: bool,
    /// Processes and destinations to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1024))]
    top: u16,
    /// What to write [default: summary; for json connect,summary; for csv connect]
    #[arg(long, value_enum, value_delimiter = ',')]
    events: Vec<EventKind>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    output: Output,
    /// How programs attach: the best that works, or just this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// Ask why candidates are refused: a probe on every candidate
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    port_probes: PortProbes,
    /// What tracing may cost, programs and agent together, as a share of one CPU; 100% = whatever it takes
    ///
    /// Over it detail is shed, one step at a time: the port probes; then the events, with totals added up in the kernel
    /// (which stay exact); then all but one connect in 2, 4, ... 1024 (the others are only counted). It comes back step
    /// by step once it fits again. Each step is told, and the one in force stands in every answer.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "1%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Size of the ring buffer between kernel and agent, in KiB
    #[arg(long, value_name = "KIB", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(4..=1 << 20), help_heading = "Tracing")]
    ring_kib: u32,
    /// Attempts under way that are followed at once, rounded up to a power of two from 8 on; more are only counted
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1 << 20), help_heading = "Tracing")]
    max_attempts: u32,
    /// Measure what tracing adds to a connect, on 160 refused ones of loopback before it begins
    ///
    /// Done unasked where the kernel keeps no run-time statistics for us (before 5.8, or without CAP_SYS_ADMIN). These
    /// hold the time within programs; what is measured so holds all that it takes to get there as well.
    #[arg(long, help_heading = "Tracing")]
    calibrate: bool,
    /// Exit with code 3 if there was a finding this bad
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TierChoice {
    #[default]
    Auto,
    Fentry,
    Kprobe,
    Tracepoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EventKind {
    /// A line for every connect
    Connect,
    /// A line for every passage into and out of TIME_WAIT
    TimeWait,
    /// An answer at every interval
    Summary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Info,
    Warning,
    Critical,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    match number {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("expected a share of one CPU above 0%, at most 100%".into()),
    }
}

/// Traces until the end; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// Before anything is attached where the command line, the privileges or the output do not allow it; later when the
/// output breaks.
pub fn run(args: Args, verbose: u8) -> Result<u8, Failure> {
    let mut config = Config { agent_tgid: std::process::id(), ..Config::EMPTY };
    args.filters.apply(&mut config)?;
    let sink = Sink::open(args.output.output.as_deref())?;
    let loader = Loader::prepare();
    let facts = Facts::survey(&Roots::default(), args.tier != TierChoice::Tracepoint);
    facts.put_into(&mut config);
    config.searches_seen = u16::from(args.tier != TierChoice::Tracepoint);
    config.time_wait_events = u16::from(args.events.contains(&EventKind::TimeWait));
    config.attempt_sets_mask = attempts::sets(args.max_attempts) - 1;
    config.wake_bytes = args.ring_kib.saturating_mul(1024) / 4;
    // In a ring of 4 KiB, which holds about twenty events, every second one.
    config.wake_mask = (args.ring_kib / 2).next_power_of_two().min(64) - 1;
    let plan = plan(&facts, &args.wanted_plan());
    let load = Load {
        offsets: &facts.offsets,
        config: &config,
        ring_bytes: args.ring_kib.saturating_mul(1024),
        // aya-log's own scale: 4 = debug.
        log_level: if verbose >= 2 { 4 } else { 0 },
    };
    let untraced = args.calibrates().then(Medians::before).transpose().unwrap_or_else(not_calibrated);
    let mut attached = attach(loader, OBJECT, &plan, load)?;
    let calibration = untraced.map(|untraced| untraced.compare(&mut attached.ebpf)).transpose();
    let calibration = calibration.unwrap_or_else(not_calibrated);
    explain(&attached);
    let setting = setting(&attached, &facts);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| broken("cannot start the event loop", &error.into()))?;
    let within_runtime = runtime.enter();
    let decoder = Decoder::new(facts.search.walk(), Anchor::now());
    let live = Live::start(&mut attached, decoder)
        .map_err(|error| broken("cannot read what the kernel side sends", &error))?;
    let bursts = Bursts::new(&mut attached, args.port_probes)
        .map_err(|error| broken("cannot attach the port probes that --port-probes always asks for", &error))?;
    let governor = Governor::new(attached, bursts, args.max_overhead, calibration)
        .map_err(|error| broken("cannot read what the kernel side counts", &error))?;
    let mut answer = Answer::new(setting, args.wanted(&sink), sink)?;
    let ready = || match &args.ready_file {
        Some(path) => match File::create(path) {
            Ok(_) => Ok(()),
            Err(source) => Err(Failure::Output { to: path.display().to_string(), source }),
        },
        None => Ok(()),
    };
    let pace = Pace { interval: args.interval, duration: args.duration };
    drop(within_runtime);
    runtime.block_on(pipeline::run(live, governor, &mut answer, pace, ready))?;
    Ok(args.exit_code(answer.worst()))
}

impl Args {
    fn wanted_plan(&self) -> plan::Wanted {
        let mut signals = vec![Signal::Connect, Signal::TimeWait];
        if self.port_probes != PortProbes::Never {
            signals.push(Signal::PortProbes);
        }
        let tier = match self.tier {
            TierChoice::Auto => None,
            TierChoice::Fentry => Some(Tier::Fentry),
            TierChoice::Kprobe => Some(Tier::Kprobe),
            TierChoice::Tracepoint => Some(Tier::Tracepoint),
        };
        plan::Wanted { signals, tier, time_wait_events: self.events.contains(&EventKind::TimeWait) }
    }

    /// Asked for, or the only way to know what the programs cost.
    fn calibrates(&self) -> bool {
        self.calibrate || !statistics::are_kept()
    }

    fn wanted(&self, sink: &Sink) -> Wanted {
        let asked = |kind| self.events.contains(&kind);
        let by_default = self.events.is_empty();
        let narrowed = self.min_latency.is_some() || self.second_pass_only;
        Wanted {
            format: self.output.format,
            connects: asked(EventKind::Connect) || (by_default && (self.output.format != Format::Text || narrowed)),
            time_wait: asked(EventKind::TimeWait),
            intervals: asked(EventKind::Summary) || by_default,
            min_latency: self.min_latency,
            second_pass_only: self.second_pass_only,
            layout: Layout { width: sink.width(), top: usize::from(self.top), colours: sink.colours() },
        }
    }

    fn exit_code(&self, worst: Option<Severity>) -> u8 {
        let threshold = self.fail_on.map(|fail_on| match fail_on {
            FailOn::Info => Severity::Info,
            FailOn::Warning => Severity::Warning,
            FailOn::Critical => Severity::Critical,
        });
        // Severities are ordered worst first.
        match (worst, threshold) {
            (Some(worst), Some(threshold)) if worst <= threshold => FAIL_ON,
            _ => 0,
        }
    }
}

/// Which tiers were tried and why they did not do, for -v.
fn explain(attached: &Attached) {
    for trial in &attached.trials {
        if let Some(why) = &trial.refused {
            tracing::info!("{}: no {} tier: {why}", trial.signal, trial.tier);
            continue;
        }
        tracing::info!("{}: {} tier", trial.signal, trial.tier);
        for loses in &trial.loses {
            tracing::info!("{}: {loses}", trial.signal);
        }
    }
}

fn setting(attached: &Attached, facts: &Facts) -> Setting {
    let tier = attached.tier(Signal::Connect).unwrap_or(Tier::Tracepoint);
    let time_wait_tier = attached.tier(Signal::TimeWait);
    let mut notes: Vec<String> = attached.loses(Signal::Connect);
    if tier != Tier::Tracepoint
        && let Err(why) = &facts.table_perturb
    {
        notes.push(format!("ports_visited only while port probes are attached: table_perturb is not known ({why})"));
    }
    if time_wait_tier.is_none() {
        notes.push("TIME_WAIT from /proc/net of this network namespace alone: level, reuse and overflow".into());
    }
    Setting {
        tier,
        time_wait_tier,
        kernel: facts.release.clone(),
        rules: facts.search,
        sysctls: facts.sysctls.clone(),
        notes,
    }
}

fn not_calibrated<T>(error: anyhow::Error) -> Option<T> {
    tracing::warn!("what tracing adds to a connect is not known: {error:#}");
    None
}

fn broken(headline: &str, error: &anyhow::Error) -> Failure {
    Failure::Failed {
        headline: headline.into(),
        tried: vec![Tried::new("tracing", format!("{error:#}"))],
        try_next: vec!["tcp-trace doctor".into()],
    }
}
