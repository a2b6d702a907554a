// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attaches the programs of a plan, tier by tier, by trial; records what was tried and why it failed.

use std::{
    panic::resume_unwind,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{
        self, ProgramError,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
    util::online_cpus,
};
use tcp_trace_common::{attempts::WAYS, config::Config, names, offsets::Offsets, stack::ON_CPU_PERIOD_NS};

use super::{
    load::{self, KernelBtf},
    map_sizes, memlock,
    missed::Kprobes,
    plan::{Choice, Plan},
    refusal::{self, Refusal},
    set_state::{self, SetState},
    table::{Kind, Need, Program, Signal},
    tier::Tier,
    tracefs,
};
use crate::exit::{Failure, Tried};

/// Parameters for loading the programs.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Offsets of the fields that programs read.
    pub offsets: &'a Offsets,
    /// Configuration from the command line.
    pub config: &'a Config,
    /// Size of the ring buffer in bytes.
    pub ring_bytes: u32,
    /// Level of the kernel side's own log (aya-log); 0: silent, and the verifier removes the logging code.
    pub log_level: u8,
}

/// One trial of a tier.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The signal.
    pub signal: Signal,
    /// The tier.
    pub tier: Tier,
    /// Why the tier failed; `None`: it is attached (port probes: loaded).
    pub refused: Option<String>,
    /// The kind of that reason, and the kernel's errno, if any.
    pub refusal: Option<(Refusal, Option<i32>)>,
    /// The verifier's logs of rejected programs.
    pub verifier_log: Option<String>,
    /// Limitations from optional programs that failed, in words.
    pub limitations: Vec<String>,
}

impl Trial {
    /// Adds a limitation once; two programs, an entry and its exit, may have the same.
    fn lose(&mut self, what: &str, why: &str) {
        if !self.limitations.iter().any(|lost| lost.starts_with(what)) {
            self.limitations.push(format!("{what} ({why})"));
        }
    }

    fn keep_log(&mut self, program: &Program, error: &anyhow::Error) {
        if let Some(log) = verifier_log(error).filter(|log| !log.trim().is_empty()) {
            let logs = self.verifier_log.get_or_insert_default();
            logs.push_str(&format!("{}:\n{}\n", program.name, log.trim_end()));
        }
    }
}

/// Loaded and attached programs. Dropping the value detaches them; so does the end of the process, for any reason.
pub struct Attached {
    /// The loaded object, for its maps.
    pub ebpf: Ebpf,
    /// All trials, in order.
    pub trials: Vec<Trial>,
    /// Whether the kernel side logs.
    pub logs: bool,
    /// Port probes: loaded, and attached only in bursts.
    pub(super) port_probes: Vec<&'static Program>,
    set_state: SetState,
    /// Handles that read how often kprobes were missed.
    pub kprobes: Kprobes,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("trials", &self.trials).finish_non_exhaustive()
    }
}

/// The library's loader, created on a thread, because it parses all of the kernel's BTF.
pub struct Loader(JoinHandle<EbpfLoader<'static>>);

impl Loader {
    /// Starts the thread; facts can be read in the meantime.
    pub fn prepare() -> Self {
        Self(thread::spawn(EbpfLoader::new))
    }

    fn wait(self) -> EbpfLoader<'static> {
        self.0.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Loads the object and attaches every signal of the plan at the best tier that works. Signals may fail to attach.
///
/// # Errors
/// When the object cannot be loaded.
pub fn try_all(loader: Loader, object: &[u8], plan: &Plan, load: Load<'_>) -> Result<Attached, Failure> {
    // Where maps count as locked memory, the library's feature tests depend on the limit too, and run only once.
    let limit = if plan.locks_memory { memlock::raise() } else { Ok(()) };
    let loaded = load_object(loader.wait(), object, plan, load);
    let (ebpf, set_state) = loaded.map_err(|error| not_loaded(&error, limit))?;
    let btf = KernelBtf::new(|| Btf::from_sys_fs().ok());
    let mut attached = Attached {
        ebpf,
        trials: Vec::new(),
        logs: load.log_level != 0,
        port_probes: Vec::new(),
        set_state,
        kprobes: Kprobes::default(),
    };
    for planned in &plan.signals {
        for choice in &planned.choices {
            let trial = attached.try_tier(planned.signal, choice, &btf);
            let done = trial.refused.is_none();
            if let Some(log) = trial.verifier_log.as_deref().filter(|log| !log.is_empty()) {
                tracing::info!("verifier log of {} on {}:", trial.signal, trial.tier);
                log.lines().for_each(|line| tracing::info!("  {line}"));
            }
            attached.trials.push(trial);
            if done {
                break;
            }
        }
    }
    attached.kprobes = Kprobes::attached();
    Ok(attached)
}

fn load_object(
    loader: EbpfLoader<'static>,
    object: &[u8],
    plan: &Plan,
    load: Load<'_>,
) -> Result<(Ebpf, SetState), aya::EbpfError> {
    let config = Config { set_state: set_state::requested(plan), ..*load.config };
    let sets = config.attempt_sets_mask + 1;
    let mut loader: EbpfLoader<'_> = loader;
    loader
        .override_global(names::CONFIG, &config, true)
        .override_global(names::OFFSETS, load.offsets, true)
        .override_global("AYA_LOG_LEVEL", &load.log_level, true)
        .map_max_entries(names::EVENTS, load.ring_bytes)
        .map_max_entries(names::ATTEMPTS, sets * WAYS)
        .map_max_entries(names::ATTEMPT_SETS, sets);
    for (map, entries) in map_sizes::sizes(plan, load.config) {
        loader.map_max_entries(map, entries);
    }
    if load.log_level == 0 {
        // The kernel side does not write to it: one page, the minimum of a ring buffer.
        loader.map_max_entries("AYA_LOGS", 4096);
    }
    let mut ebpf = loader.load(object)?;
    let set_state = SetState::take(&mut ebpf)?;
    Ok((ebpf, set_state))
}

fn not_loaded(error: &aya::EbpfError, limit: Result<(), String>) -> Failure {
    let mut tried = vec![Tried::new("bpf()", chain(error))];
    if let Err(why) = limit {
        tried.push(Tried::new("memlock", why));
    }
    let errno = refusal::errno(error);
    if Refusal::of(errno) == Refusal::Exhausted {
        let headline = "cannot load the kernel side now".into();
        Failure::Failed { headline, tried, try_next: vec![Refusal::make_room(errno).into()] }
    } else if !matches!(error, aya::EbpfError::MapError(_)) {
        Failure::Failed {
            headline: "cannot load the kernel side".into(),
            tried,
            try_next: vec!["report this as a bug, with the output of `tcp-trace doctor`".into()],
        }
    } else if Refusal::of(errno) == Refusal::Forbidden {
        Failure::NotPermitted {
            headline: "cannot create BPF maps".into(),
            tried,
            try_next: vec![
                "sudo tcp-trace …, or give the binary CAP_BPF and CAP_PERFMON".into(),
                "on kernels before 5.11, where maps count as locked memory: `ulimit -l unlimited` first".into(),
            ],
        }
    } else {
        Failure::KernelLacks {
            headline: "cannot create BPF maps".into(),
            tried,
            try_next: vec!["use a kernel with BPF ring buffers (5.8 or later)".into(), "tcp-trace doctor".into()],
        }
    }
}

impl Attached {
    /// The attached tier of a signal.
    pub fn tier(&self, signal: Signal) -> Option<Tier> {
        self.trials.iter().find(|trial| trial.signal == signal && trial.refused.is_none()).map(|trial| trial.tier)
    }

    /// The limitations of the signal's tier, in words.
    pub fn limitations(&self, signal: Signal) -> Vec<String> {
        let active = self.trials.iter().find(|trial| trial.signal == signal && trial.refused.is_none());
        active.map(|trial| trial.limitations.clone()).unwrap_or_default()
    }

    fn try_tier(&mut self, signal: Signal, choice: &Choice, btf: &KernelBtf) -> Trial {
        let mut trial = Trial {
            signal,
            tier: choice.tier,
            refused: choice.ruled_out.clone(),
            refusal: choice.ruled_out.as_ref().map(|_| {
                let kind = if choice.is_forbidden { Refusal::Forbidden } else { Refusal::Unsupported };
                (kind, None)
            }),
            verifier_log: None,
            limitations: choice.limitations.clone(),
        };
        // Port probes write to the attempts that connect's programs of the same tier store.
        if signal == Signal::PortProbes && self.tier(Signal::Connect) != Some(choice.tier) {
            trial.refused.get_or_insert_with(|| "connect does not attach on this tier".into());
            trial.refusal.get_or_insert((Refusal::Unsupported, None));
        }
        if trial.refused.is_some() {
            return trial;
        }
        let mut refusals = load::ahead(&mut self.ebpf, &choice.programs, btf);
        let mut needless = None;
        for program in &choice.programs {
            if needless.take() == Some(program.hook) {
                continue;
            }
            let tried = match refusals.remove(program.name) {
                Some(refusal) => Err(refusal),
                None => self.put_up(program, btf, (signal, choice.tier)),
            };
            let Err(error) = tried else {
                needless = (program.need == Need::OrNext).then_some(program.hook);
                continue;
            };
            trial.keep_log(program, &error);
            match program.need {
                Need::OrNext => {}
                Need::Optional(limitations) => trial.lose(limitations, &format!("{}: {}", program.hook, brief(&error))),
                Need::Required | Need::IfPresent(_) | Need::Events => {
                    trial.refused = Some(format!("{} on {}: {}", kind_name(program.kind), program.hook, brief(&error)));
                    trial.refusal = Some(refusal_of(&error));
                    self.take_down(choice, signal);
                    return trial;
                }
            }
        }
        if signal == Signal::PortProbes {
            self.port_probes.clone_from(&choice.programs);
        }
        trial
    }

    fn put_up(&mut self, row: &'static Program, btf: &KernelBtf, (signal, tier): (Signal, Tier)) -> anyhow::Result<()> {
        let program =
            self.ebpf.program_mut(row.name).with_context(|| format!("no program {} in the object", row.name))?;
        if program.fd().is_err() {
            load::one(program, row, btf)?;
        }
        if signal == Signal::PortProbes {
            return Ok(());
        }
        if row.is_shared() {
            if !self.set_state.is_on(tier) {
                attach_program(program, row)?;
            }
            return self.set_state.set(signal, tier, true);
        }
        attach_program(program, row)
    }

    /// Detaches the programs of a choice, by unloading them.
    fn take_down(&mut self, choice: &Choice, signal: Signal) {
        for row in &choice.programs {
            if row.is_shared() {
                if let Err(error) = self.set_state.set(signal, choice.tier, false) {
                    tracing::warn!("{error:#}");
                }
                if self.set_state.is_on(choice.tier) {
                    continue;
                }
            }
            // Fails for programs that were not loaded, which need no detaching.
            let _ = match self.ebpf.program_mut(row.name) {
                Some(programs::Program::FEntry(program)) => program.unload(),
                Some(programs::Program::FExit(program)) => program.unload(),
                Some(programs::Program::KProbe(program)) => program.unload(),
                Some(programs::Program::BtfTracePoint(program)) => program.unload(),
                Some(programs::Program::RawTracePoint(program)) => program.unload(),
                Some(programs::Program::TracePoint(program)) => program.unload(),
                Some(programs::Program::Iter(program)) => program.unload(),
                Some(programs::Program::PerfEvent(program)) => program.unload(),
                _ => Ok(()),
            };
        }
    }

    /// Requires a signal to be attached, if it was planned.
    ///
    /// # Errors
    /// When no tier of it attached; the error lists each tier with its reason.
    pub fn require(&self, signal: Signal, plan: &Plan) -> Result<(), Failure> {
        if plan.choices(signal).is_empty() || self.tier(signal).is_some() {
            return Ok(());
        }
        let refused = self.trials.iter().filter(|trial| trial.signal == signal);
        let tried: Vec<_> = refused
            .map(|trial| Tried::new(trial.tier.to_string(), trial.refused.clone().unwrap_or_default()))
            .collect();
        let headline = format!("cannot trace {signal}: no tier is available");
        let refusals = self.trials.iter().filter(|trial| trial.signal == signal).filter_map(|trial| trial.refusal);
        if let Some((_, errno)) = refusals.clone().find(|(kind, _)| *kind == Refusal::Exhausted) {
            let try_next = vec![Refusal::make_room(errno).into()];
            return Err(Failure::Failed { headline: format!("cannot trace {signal} now"), tried, try_next });
        }
        let forbidden = refusals.clone().any(|(kind, _)| kind == Refusal::Forbidden);
        let mut try_next = Vec::new();
        if forbidden && plan.may_trace {
            try_next.push(
                "run it outside the container or sandbox: something other than privileges forbids it here".into(),
            );
        } else if forbidden {
            try_next.push("sudo tcp-trace …, or give the binary CAP_BPF and CAP_PERFMON".into());
        }
        if plan.choices(signal).len() == 1 {
            try_next.push("run it without --tier, which tries the other tiers too".into());
        }
        try_next.push("tcp-trace doctor".into());
        Err(if forbidden {
            Failure::NotPermitted { headline, tried, try_next }
        } else {
            Failure::KernelLacks { headline, tried, try_next }
        })
    }
}

fn attach_program(program: &mut programs::Program, row: &Program) -> anyhow::Result<()> {
    match program {
        programs::Program::FEntry(program) => program.attach().map(|_| ())?,
        programs::Program::FExit(program) => program.attach().map(|_| ())?,
        programs::Program::KProbe(program) => program.attach(row.hook, 0).map(|_| ())?,
        programs::Program::BtfTracePoint(program) => program.attach().map(|_| ())?,
        programs::Program::RawTracePoint(program) => program.attach(row.hook).map(|_| ())?,
        programs::Program::TracePoint(program) => {
            let Kind::Tracepoint { category } = row.kind else { return Err(anyhow!("{} has no category", row.name)) };
            tracefs::with(|| program.attach(category, row.hook)).context("no tracefs")?.map(|_| ())?;
        }
        programs::Program::PerfEvent(program) => tick_on_every_cpu(program)?,
        // The kernel runs it each time its file is read.
        programs::Program::Iter(_) => {}
        _ => return Err(anyhow!("{} has a kind that the table does not list", row.name)),
    }
    Ok(())
}

fn tick_on_every_cpu(program: &mut programs::PerfEvent) -> anyhow::Result<()> {
    let clock = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    for cpu in online_cpus().map_err(|(file, error)| anyhow::Error::new(error).context(file))? {
        let scope = PerfEventScope::AllProcessesOneCpu { cpu };
        program.attach(clock, scope, SamplePolicy::Period(ON_CPU_PERIOD_NS), false)?;
    }
    Ok(())
}

/// Kind and errno of an error. The verifier also returns EACCES, for what a program does.
fn refusal_of(error: &anyhow::Error) -> (Refusal, Option<i32>) {
    let errno = refusal::errno(error.as_ref());
    match Refusal::of(errno) {
        Refusal::Forbidden if verifier_log(error).is_some_and(|log| !log.trim().is_empty()) => {
            (Refusal::Unsupported, errno)
        }
        kind => (kind, errno),
    }
}

/// The whole chain of causes in one line, without the verifier's log.
fn brief(error: &anyhow::Error) -> String {
    let errno =
        error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).and_then(std::io::Error::raw_os_error);
    match errno {
        Some(libc::EPERM) => "EPERM (operation not permitted)".into(),
        Some(libc::EACCES) if verifier_log(error).is_some() => {
            "the verifier rejected it (EACCES); -v shows its log".into()
        }
        Some(_) if verifier_log(error).is_some_and(|log| !log.trim().is_empty()) => {
            "the verifier rejected it; -v shows its log".into()
        }
        _ => {
            let causes: Vec<_> =
                error.chain().map(|cause| cause.to_string().lines().next().unwrap_or("").to_owned()).collect();
            causes.join(": ")
        }
    }
}

fn verifier_log(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| match cause.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { verifier_log, .. }) => Some(verifier_log.to_string()),
        _ => None,
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Fentry => "fentry",
        Kind::Fexit => "fexit",
        Kind::Kprobe => "kprobe",
        Kind::Kretprobe => "kretprobe",
        Kind::BtfTracepoint => "BTF tracepoint",
        Kind::RawTracepoint => "raw tracepoint",
        Kind::Tracepoint { .. } => "tracepoint",
        Kind::Iterator => "iterator",
        Kind::Clock => "clock",
    }
}
