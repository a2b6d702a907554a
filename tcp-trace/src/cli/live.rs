// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every live command has in common: its flags, and the way from them to a run.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tcp_trace_common::{
    attempts,
    config::{Config, filter, stream},
    connect_rows,
};

use super::{duration, filters::Filters, output::Output, replay::Recording, share};
use crate::{
    clock::{self, Anchor},
    confine::{self, Needs, Reattach},
    decode::Decoder,
    exit::{FAIL_ON, Failure, Tried},
    export::{destination, output_thread, sink::Sink},
    findings::Severity,
    governor::{Governor, calibrate::Medians, statistics},
    inventory::{self, surveyor::Surveyor},
    kernel::{Facts, Roots, cpus::cpus, descriptors},
    machine::Machine,
    mode::Question,
    model::{accounts::Calibration, scope::Scope},
    probes::{
        OBJECT,
        attach::{Attached, Load, Loader, try_all},
        bursts::{Bursts, PortProbes},
        iterator::Iterator,
        plan::{self, plan},
        table::{MARKS, Signal},
        tier::Tier,
    },
    recording::{beside::Beside, writer::Target},
    session::{
        output::{Answer, Wanted},
        run::{self, Pace, Sources, Traced},
    },
    session_info::{AtWork, Circumstances},
    source::{live::Live, time_wait_proc},
    stream::Follow,
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
    #[arg(long, value_name = "KIB", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(4..=1 << 20), help_heading = "Tracing")]
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
    fn tier(self) -> Option<Tier> {
        match self {
            Self::Auto => None,
            Self::Fentry => Some(Tier::Fentry),
            Self::Kprobe => Some(Tier::Kprobe),
            Self::Tracepoint => Some(Tier::Tracepoint),
        }
    }
}

/// What is asked, beside the flags that all share.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// Signals whose events are streamed, connect apart.
    pub events: Vec<Signal>,
    /// An event of each connect is wanted, not of examples only.
    pub each_connect: bool,
    /// Signals beside those that the question needs.
    pub extra: Vec<Signal>,
    /// Why candidates are refused.
    pub port_probes: PortProbes,
    /// Attempts followed at once.
    pub max_attempts: u32,
    /// Measure what tracing adds, before it begins.
    pub calibrate: bool,
    /// Files that are opened, or get their names, after tracing began; beside those of the shared flags.
    pub outputs: Vec<PathBuf>,
    /// `-v`s.
    pub verbose: u8,
}

impl Asked {
    /// As most commands ask it: `events` lists those of its signal.
    pub fn plainly(question: Question, events: bool, verbose: u8) -> Self {
        Self {
            question,
            events: question.listed().filter(|_| events).into_iter().collect(),
            each_connect: false,
            extra: Vec::new(),
            port_probes: PortProbes::Never,
            max_attempts: 16_384,
            calibrate: false,
            outputs: Vec::new(),
            verbose,
        }
    }

    /// Signals whose events are needed one by one, connect apart.
    pub fn streamed(&self) -> Vec<Signal> {
        self.events.iter().chain(self.question.joined()).copied().collect()
    }

    /// `records`: all that happens is written down, too.
    fn streams(&self, records: bool) -> u16 {
        let bit = |signal: Signal| match signal {
            Signal::TimeWait => stream::TIME_WAIT,
            Signal::Bind => stream::BIND,
            Signal::Listen => stream::LISTEN,
            Signal::State => stream::STATE,
            Signal::Connect | Signal::PortProbes | Signal::ListenerLookup | Signal::Stack | Signal::OnCpu => 0,
        };
        let owners = if self.details_time_wait() { stream::TIME_WAIT_OWNERS } else { 0 };
        // A stack is drawn with the connect that it is of.
        let each_connect = records || self.each_connect || self.events.contains(&Signal::Stack);
        let connects = if each_connect { stream::CONNECT } else { 0 };
        self.streamed().into_iter().map(bit).fold(owners | connects, |bits, bit| bits | bit)
    }

    /// What the run does after everything is attached.
    fn needs<O: clap::Args>(&self, live: &LiveArgs<O>, attached: Option<&Attached>, facts: &Facts) -> Needs {
        let is_attached = |signal| attached.is_some_and(|attached| attached.tier(signal).is_some());
        let probes = attached.and_then(|attached| attached.tier(Signal::PortProbes));
        let bursts = probes.filter(|_| self.port_probes != PortProbes::Never).map(|tier| match tier {
            Tier::Kprobe => Reattach::Breakpoint,
            _ if facts.trampolines_attach_again => Reattach::Trampoline,
            _ => Reattach::TrampolineOfNewProgram,
        });
        Needs {
            traces: attached.is_some(),
            surveys: self.question.surveys(),
            call_sites: is_attached(Signal::Bind),
            stacks: is_attached(Signal::Stack),
            bursts,
            outputs: self.outputs.iter().chain(&live.record).chain(&live.ready_file).cloned().collect(),
        }
    }

    /// It costs a probe on each segment for a minisocket, so it is not asked by the way.
    fn details_time_wait(&self) -> bool {
        self.events.contains(&Signal::TimeWait) || matches!(self.question, Question::TimeWait | Question::Doctor)
    }

    fn plan(&self, tier: TierChoice) -> plan::Wanted {
        let mut signals = self.question.signals();
        signals.extend(&self.extra);
        if self.port_probes != PortProbes::Never {
            signals.push(Signal::PortProbes);
        }
        let events = self.details_time_wait().then_some(Signal::TimeWait).into_iter().collect();
        plan::Wanted { signals, tier: tier.tier(), events }
    }
}

/// What there is before the first event.
pub struct Prepared {
    /// What the kernel offers.
    pub facts: Facts,
    /// What it can show.
    pub machine: Machine,
    /// What is attached; `None`: nothing is to be traced, or nothing can be.
    pub attached: Option<Attached>,
    /// Why nothing is attached, where something was to be.
    pub untraceable: Option<Failure>,
    calibration: Option<Calibration>,
    /// The network namespace that was asked about, if it was one.
    netns: Option<u32>,
    /// The destinations that were asked about.
    scope: Scope,
}

/// Reads the facts and attaches what the question needs.
///
/// # Errors
/// Where the command line or the privileges do not allow it, and the question has no answer without.
pub fn prepare<O: clap::Args>(live: &LiveArgs<O>, asked: &Asked) -> Result<Prepared, Failure> {
    descriptors::raise_limit();
    confine::before_attaching();
    let mut config = Config { agent_tgid: std::process::id(), ..Config::EMPTY };
    live.filters.apply(&mut config)?;
    let loader = Loader::prepare();
    let sees_search = live.tier != TierChoice::Tracepoint;
    let facts = Facts::survey(&Roots::default(), sees_search);
    facts.put_into(&mut config);
    config.searches_seen = sees_search.into();
    config.streams = asked.streams(live.record.is_some());
    config.shard_mask = connect_rows::shards(cpus()) - 1;
    config.attempt_sets_mask = attempts::sets(asked.max_attempts) - 1;
    // A caller may be gone, and the names of its frames with it, before the agent would look by itself.
    if !asked.events.contains(&Signal::Stack) {
        config.wake_bytes = live.ring_kib.saturating_mul(1024) / 4;
        // In a ring of 4 KiB, which holds about twenty events, every second one.
        config.wake_mask = (live.ring_kib / 2).next_power_of_two().min(64) - 1;
    }
    let netns = (config.filters & filter::NETNS != 0).then_some(config.netns);
    let scope = Scope::of(&config);
    let plan = plan(&facts, &asked.plan(live.tier));
    if asked.question == Question::Doctor && plan.rules_out_all() {
        let machine = Machine::of(&facts, &plan, Ok(&[]));
        return Ok(Prepared { facts, machine, attached: None, untraceable: None, calibration: None, netns, scope });
    }
    let load = Load {
        offsets: &facts.offsets,
        config: &config,
        ring_bytes: live.ring_kib.saturating_mul(1024),
        // aya-log's own scale: 4 = debug.
        log_level: if asked.verbose >= 2 { 4 } else { 0 },
    };
    // Asked for, or the only way to know what the programs cost.
    let calibrates = asked.question == Question::ConnectLatency && (asked.calibrate || !statistics::are_kept());
    let untraced = calibrates.then(Medians::before).transpose().unwrap_or_else(not_calibrated);
    let attached = try_all(loader, OBJECT, &plan, load).and_then(|attached| {
        // The doctor says of each signal what became of it.
        if asked.question != Question::Doctor {
            attached.require(asked.question.main_signal(), &plan)?;
        }
        Ok(attached)
    });
    let (mut attached, untraceable) = match attached {
        Ok(attached) => (Some(attached), None),
        // What can be read is an answer too.
        Err(failure) if asked.question.is_answered_untraced() && live.tier == TierChoice::Auto => (None, Some(failure)),
        Err(failure) => return Err(failure),
    };
    let calibration = match (untraced, &mut attached) {
        (Some(untraced), Some(attached)) => {
            untraced.compare(&mut attached.ebpf).map(Some).unwrap_or_else(not_calibrated)
        }
        _ => None,
    };
    let machine = match (&attached, &untraceable) {
        (Some(attached), _) => Machine::of(&facts, &plan, Ok(&attached.trials)),
        (None, Some(failure)) => Machine::of(&facts, &plan, Err(&failure.to_string())),
        (None, None) => Machine::of(&facts, &plan, Ok(&[])),
    };
    Ok(Prepared { facts, machine, attached, untraceable, calibration, netns, scope })
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Ran<F> {
    /// Who followed.
    pub follower: F,
    /// What became of `--record`: asked last, for the answer is there whatever became of it.
    pub recorded: Result<(), Failure>,
}

/// Looks until the end; gives back who followed, whom `follower` makes of what is known before the first event.
///
/// # Errors
/// When what is attached cannot be read, or the output breaks.
pub fn watch<F: Follow, O: clap::Args>(
    prepared: Prepared,
    live: &LiveArgs<O>,
    asked: &Asked,
    follower: impl FnOnce(&Circumstances) -> Result<F, Failure>,
) -> Result<Ran<F>, Failure> {
    let Prepared { facts, machine, attached, untraceable, calibration, netns, scope } = prepared;
    let mut circumstances = circumstances(live.interval, asked, attached.as_ref(), &facts, machine, scope);
    let limits = asked.question == Question::Doctor;
    let marks = attached.as_ref().and_then(|attached| Iterator::new(&attached.ebpf, MARKS)).transpose();
    let marks = marks.unwrap_or_else(|error| {
        circumstances.notes.push(format!("ports that carry the mark of a bind() are not known: {error}"));
        None
    });
    if let Some(failure) = untraceable {
        tracing::info!("not traced: {failure}");
        let words = failure.in_a_line();
        circumstances.notes.push(format!("nothing is traced, this is what can be read: {words}"));
    }
    descriptors::ensure_room()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| broken("cannot start the event loop", &error.into()))?;
    let within_runtime = runtime.enter();
    let needs = asked.needs(live, attached.as_ref(), &facts);
    // Threads that are started later are confined as the one that starts them.
    if !needs.outputs.is_empty() {
        let outputs = needs.outputs.clone();
        output_thread::start(move || confine::outputs(&outputs))
            .map_err(|error| broken("cannot start the thread that opens outputs", &error.into()))?;
    }
    confine::tracing(&needs);
    let traced = attached.map(|attached| trace(attached, live, asked, &facts, calibration)).transpose()?;
    let look = inventory::Wanted { netns, limits, marks: marks.map(Arc::new), ..inventory::Wanted::ALL };
    let sources = Sources {
        traced,
        surveyor: asked.question.surveys().then(|| Surveyor::start(look, live.max_overhead)),
        samples_time_wait: circumstances.time_wait_start.is_some(),
    };
    circumstances.begin = clock::now();
    let beside = live.record.as_ref().map(|path| Beside::begin(Target::plain(path), &circumstances)).transpose()?;
    let mut followers = (beside, follower(&circumstances)?);
    let ready = || match &live.ready_file {
        Some(path) => {
            let file = path.clone();
            output_thread::run(move || destination::mark(&file))
                .map_err(|source| Failure::Output { to: path.display().to_string(), source })
        }
        None => Ok(()),
    };
    let pace = Pace { interval: live.interval, duration: live.duration };
    drop(within_runtime);
    runtime.block_on(run::run(sources, &mut followers, pace, ready))?;
    let (beside, follower) = followers;
    Ok(Ran { follower, recorded: beside.map_or(Ok(()), Beside::whole) })
}

/// Traces, or reads the recording, until the end; gives back who followed.
///
/// # Errors
/// As [`prepare`] and [`watch`]; when the recording does not hold what is asked.
pub fn follow<F: Follow, O: clap::Args>(
    live: &LiveArgs<O>,
    asked: &Asked,
    follower: impl FnOnce(&Circumstances) -> Result<F, Failure>,
) -> Result<Ran<F>, Failure> {
    match &live.recording {
        Some(_) if live.record.is_some() => Err(Failure::Usage {
            headline: "a replay records nothing: --record is for live commands".into(),
            try_next: vec!["cp, or `tcp-trace replay FILE redact OTHER`".into()],
        }),
        Some(recording) => Ok(Ran { follower: recording.feed(live, asked, follower)?, recorded: Ok(()) }),
        None => watch(prepare(live, asked)?, live, asked, follower),
    }
}

/// Traces, or reads the recording, and answers until the end; the worst finding.
///
/// # Errors
/// As [`follow`].
pub fn run(live: &LiveArgs, asked: &Asked, wanted: Wanted, sink: Sink) -> Result<Option<Severity>, Failure> {
    let answer = |circumstances: &Circumstances| Answer::new(asked.question, circumstances, wanted, sink);
    let Ran { follower, recorded } = follow(live, asked, answer)?;
    recorded.map(|()| follower.worst())
}

/// What a plain command writes: `events` is a line for each event of its signal.
pub fn wanted(live: &LiveArgs, events: bool, sink: &Sink) -> Wanted {
    Wanted {
        format: live.output.format,
        connects: false,
        signals: events,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout: layout(live, sink),
    }
}

/// What a screen may take up.
pub fn layout(live: &LiveArgs, sink: &Sink) -> Layout {
    Layout { width: sink.width(), top: usize::from(live.top), colours: sink.colours(), unicode: sink.unicode() }
}

/// Answers a question that has no flags of its own but `--events`; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`run`].
pub fn answer(question: Question, live: &LiveArgs, events: bool, verbose: u8) -> Result<u8, Failure> {
    answer_to(&Asked::plainly(question, events, verbose), live, events)
}

/// The same for one that has.
///
/// # Errors
/// As [`run`].
pub fn answer_to(asked: &Asked, live: &LiveArgs, events: bool) -> Result<u8, Failure> {
    let sink = Sink::open(live.output.output.as_deref())?;
    let wanted = wanted(live, events, &sink);
    let worst = run(live, asked, wanted, sink)?;
    Ok(FailOn::code(live.fail_on, worst))
}

fn trace<O: clap::Args>(
    mut attached: Attached,
    live: &LiveArgs<O>,
    asked: &Asked,
    facts: &Facts,
    calibration: Option<Calibration>,
) -> Result<Traced, Failure> {
    explain(&attached);
    let decoder = Decoder::new(facts.search.walk(), Anchor::now());
    let source = Live::start(&mut attached, decoder)
        .map_err(|error| broken("cannot read what the kernel side sends", &error))?;
    let bursts = Bursts::new(&mut attached, asked.port_probes)
        .map_err(|error| broken("cannot attach the port probes that --port-probes always asks for", &error))?;
    let tells_each = asked.streams(live.record.is_some()) & stream::EACH != 0;
    let governor = Governor::new(attached, bursts, live.max_overhead, tells_each, calibration)
        .map_err(|error| broken("cannot read what the kernel side counts", &error))?;
    Ok(Traced { source, governor })
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

fn circumstances(
    interval: Duration,
    asked: &Asked,
    attached: Option<&Attached>,
    facts: &Facts,
    machine: Machine,
    scope: Scope,
) -> Circumstances {
    let at_work =
        |attached: &Attached| attached.trials.iter().filter(|trial| trial.refused.is_none()).map(AtWork::of).collect();
    let signals: BTreeMap<_, _> = attached.map(at_work).unwrap_or_default();
    let samples_time_wait =
        asked.question.signals().contains(&Signal::TimeWait) && !signals.contains_key(&Signal::TimeWait);
    Circumstances {
        begin: clock::now(),
        interval,
        kernel: facts.release.clone(),
        rules: facts.search,
        rules_known: facts.btf.is_ok(),
        sysctls: facts.sysctls.clone(),
        machine,
        traced: attached.is_some(),
        signals,
        streamed: asked.streamed(),
        has_rows: attached.is_some(),
        surveyed: asked.question.surveys(),
        table_perturb_unknown: facts.table_perturb.as_ref().err().map(ToString::to_string),
        time_wait_start: samples_time_wait.then(time_wait_proc::sample),
        time_wait_in_detail: asked.details_time_wait(),
        scope,
        notes: Vec::new(),
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
