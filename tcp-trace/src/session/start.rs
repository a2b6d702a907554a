// SPDX-License-Identifier: MIT OR Apache-2.0
//! The start of a live run: from the request to what is attached, and from there to the loop.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tcp_trace_common::{
    attempts,
    config::{filter, stream},
    connect_rows,
};

use super::{
    request::{RunOptions, TraceRequest},
    run::{self, Pace, Sources, Traced},
};
use crate::{
    clock::{self, Anchor},
    confine,
    decode::Decoder,
    exit::{Failure, Tried},
    export::{destination, output_thread},
    governor::{Governor, calibrate::Medians, statistics},
    inventory::{self, surveyor::Surveyor},
    kernel::{Facts, Roots, cpus::cpus, descriptors},
    machine::Machine,
    mode::Mode,
    model::{accounts::Calibration, scope::Scope},
    probes::{
        OBJECT,
        attach::{Attached, Load, Loader, try_all},
        bursts::Bursts,
        iterator::Iterator,
        plan::plan,
        table::{MARKS, Signal},
        tier::Tier,
    },
    recording::{beside::Beside, writer::Target},
    session_info::{ActiveSignal, SessionInfo},
    source::{live::Live, time_wait_proc},
    stream::Consumer,
};

/// What is known before the first event.
pub struct Prepared {
    /// Facts: what the kernel offers.
    pub facts: Facts,
    /// What this machine can show.
    pub machine: Machine,
    /// The attached programs; `None` if no tracing was requested or none is possible.
    pub attached: Option<Attached>,
    /// Why nothing is attached, if tracing was requested.
    pub untraceable: Option<Failure>,
    calibration: Option<Calibration>,
    /// The network namespace to which the user limited the run, if any.
    netns: Option<u32>,
    /// The destinations to which the user limited the run.
    scope: Scope,
}

/// Reads the facts and attaches the programs that the command needs.
///
/// # Errors
/// When the command line or the privileges do not allow it, and the command cannot do without tracing.
pub fn prepare(options: &RunOptions, request: &TraceRequest) -> Result<Prepared, Failure> {
    descriptors::raise_limit();
    confine::before_attaching();
    let mut config = options.filters;
    config.agent_tgid = std::process::id();
    let loader = Loader::prepare();
    let sees_search = options.tier != Some(Tier::Tracepoint);
    let facts = Facts::survey(&Roots::default(), sees_search);
    facts.put_into(&mut config);
    config.searches_seen = sees_search.into();
    config.streams = request.streams(options.record.is_some());
    config.shard_mask = connect_rows::shards(cpus()) - 1;
    config.attempt_sets_mask = attempts::sets(request.max_attempts) - 1;
    // The caller may exit, and the names of its frames with it, before the agent would read the ring by itself.
    if !request.events.contains(&Signal::Stack) {
        config.wake_bytes = options.ring_kib.saturating_mul(1024) / 4;
        // A ring of 4 KiB holds about twenty events: wake the agent at every second one.
        config.wake_mask = (options.ring_kib / 2).next_power_of_two().min(64) - 1;
    }
    let netns = (config.filters & filter::NETNS != 0).then_some(config.netns);
    let scope = Scope::of(&config);
    let plan = plan(&facts, &request.plan(options.tier));
    if request.mode == Mode::Doctor && plan.rules_out_all() {
        let machine = Machine::of(&facts, &plan, Ok(&[]));
        return Ok(Prepared { facts, machine, attached: None, untraceable: None, calibration: None, netns, scope });
    }
    let load = Load {
        offsets: &facts.offsets,
        config: &config,
        ring_bytes: options.ring_kib.saturating_mul(1024),
        // The scale of aya-log: 4 = debug.
        log_level: if request.verbose >= 2 { 4 } else { 0 },
    };
    // Calibrates on request, or where it is the only way to know what the programs cost.
    let calibrates = request.mode == Mode::ConnectLatency && (request.calibrate || !statistics::are_kept());
    let untraced = calibrates.then(Medians::before).transpose().unwrap_or_else(not_calibrated);
    let attached = try_all(loader, OBJECT, &plan, load).and_then(|attached| {
        // doctor reports for each signal whether it attached.
        if request.mode != Mode::Doctor {
            attached.require(request.mode.main_signal(), &plan)?;
        }
        Ok(attached)
    });
    let (mut attached, untraceable) = match attached {
        Ok(attached) => (Some(attached), None),
        // Without tracing, the report shows what can be read.
        Err(failure) if request.mode.is_answered_untraced() && options.tier.is_none() => (None, Some(failure)),
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

/// A completed run.
#[derive(Debug)]
pub struct Ran<F> {
    /// The consumer of the run's messages.
    pub consumer: F,
    /// Whether `--record` succeeded. Checked last: the report is available either way.
    pub recorded: Result<(), Failure>,
}

/// Traces until the run ends and returns the consumer, which `consumer` creates from what is known before the first
/// event.
///
/// # Errors
/// When the attached programs cannot be read, or writing the output fails.
pub fn watch<F: Consumer>(
    prepared: Prepared,
    options: &RunOptions,
    request: &TraceRequest,
    consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
) -> Result<Ran<F>, Failure> {
    let Prepared { facts, machine, attached, untraceable, calibration, netns, scope } = prepared;
    let mut session = session_info(options.interval, request, attached.as_ref(), &facts, machine, scope);
    let limits = request.mode == Mode::Doctor;
    let marks = attached.as_ref().and_then(|attached| Iterator::new(&attached.ebpf, MARKS)).transpose();
    let marks = marks.unwrap_or_else(|error| {
        session.notes.push(format!("ports marked by bind() are unknown: {error}"));
        None
    });
    if let Some(failure) = untraceable {
        tracing::info!("not traced: {failure}");
        let words = failure.in_a_line();
        session.notes.push(format!("nothing is traced, this report shows what can be read without tracing: {words}"));
    }
    descriptors::ensure_room()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| broken("cannot start the event loop", &error.into()))?;
    let within_runtime = runtime.enter();
    let needs = request.needs(options, attached.as_ref(), &facts);
    // Threads inherit the confinement of the thread that starts them.
    if !needs.outputs.is_empty() {
        let outputs = needs.outputs.clone();
        output_thread::start(move || confine::outputs(&outputs))
            .map_err(|error| broken("cannot start the thread that opens outputs", &error.into()))?;
    }
    confine::tracing(&needs);
    let traced = attached.map(|attached| trace(attached, options, request, &facts, calibration)).transpose()?;
    let look = inventory::SurveyRequest { netns, limits, marks: marks.map(Arc::new), ..inventory::SurveyRequest::ALL };
    let sources = Sources {
        traced,
        surveyor: request.mode.surveys().then(|| Surveyor::start(look, options.max_overhead)),
        samples_time_wait: session.time_wait_start.is_some(),
    };
    session.begin = clock::now();
    let beside = options.record.as_ref().map(|path| Beside::begin(Target::plain(path), &session)).transpose()?;
    let mut consumers = (beside, consumer(&session)?);
    let ready = || match &options.ready_file {
        Some(path) => {
            let file = path.clone();
            output_thread::run(move || destination::mark(&file))
                .map_err(|source| Failure::Output { to: path.display().to_string(), source })
        }
        None => Ok(()),
    };
    let pace = Pace { interval: options.interval, duration: options.duration };
    drop(within_runtime);
    runtime.block_on(run::run(sources, &mut consumers, pace, ready))?;
    let (beside, consumer) = consumers;
    Ok(Ran { consumer, recorded: beside.map_or(Ok(()), Beside::whole) })
}

fn trace(
    mut attached: Attached,
    options: &RunOptions,
    request: &TraceRequest,
    facts: &Facts,
    calibration: Option<Calibration>,
) -> Result<Traced, Failure> {
    explain(&attached);
    let decoder = Decoder::new(facts.search.walk(), Anchor::now());
    let source = Live::start(&mut attached, decoder)
        .map_err(|error| broken("cannot read what the kernel side sends", &error))?;
    let bursts = Bursts::new(&mut attached, request.port_probes)
        .map_err(|error| broken("cannot attach the port probes that --port-probes always asks for", &error))?;
    let tells_each = request.streams(options.record.is_some()) & stream::EACH != 0;
    let governor = Governor::new(attached, bursts, options.max_overhead, tells_each, calibration)
        .map_err(|error| broken("cannot read what the kernel side counts", &error))?;
    Ok(Traced { source, governor })
}

/// Logs which tiers were tried and why they were refused, for -v.
fn explain(attached: &Attached) {
    for trial in &attached.trials {
        if let Some(why) = &trial.refused {
            tracing::info!("{}: no {} tier: {why}", trial.signal, trial.tier);
            continue;
        }
        tracing::info!("{}: {} tier", trial.signal, trial.tier);
        for limitations in &trial.limitations {
            tracing::info!("{}: {limitations}", trial.signal);
        }
    }
}

fn session_info(
    interval: Duration,
    request: &TraceRequest,
    attached: Option<&Attached>,
    facts: &Facts,
    machine: Machine,
    scope: Scope,
) -> SessionInfo {
    let active = |attached: &Attached| {
        attached.trials.iter().filter(|trial| trial.refused.is_none()).map(ActiveSignal::of).collect()
    };
    let signals: BTreeMap<_, _> = attached.map(active).unwrap_or_default();
    let samples_time_wait =
        request.mode.signals().contains(&Signal::TimeWait) && !signals.contains_key(&Signal::TimeWait);
    SessionInfo {
        begin: clock::now(),
        interval,
        kernel: facts.release.clone(),
        rules: facts.search,
        rules_known: facts.btf.is_ok(),
        sysctls: facts.sysctls.clone(),
        machine,
        traced: attached.is_some(),
        signals,
        streamed: request.streamed(),
        has_rows: attached.is_some(),
        surveyed: request.mode.surveys(),
        table_perturb_unknown: facts.table_perturb.as_ref().err().map(ToString::to_string),
        time_wait_start: samples_time_wait.then(time_wait_proc::sample),
        time_wait_in_detail: request.details_time_wait(),
        scope,
        notes: Vec::new(),
    }
}

fn not_calibrated<T>(error: anyhow::Error) -> Option<T> {
    tracing::warn!("what tracing adds to a connect is unknown: {error:#}");
    None
}

fn broken(headline: &str, error: &anyhow::Error) -> Failure {
    Failure::Failed {
        headline: headline.into(),
        tried: vec![Tried::new("tracing", format!("{error:#}"))],
        try_next: vec!["tcp-trace doctor".into()],
    }
}
