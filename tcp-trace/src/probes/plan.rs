// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plan: for each signal the tiers to try on this kernel, with reasons. Pure: facts in, plan out.

use std::fmt;

use tcp_trace_common::offsets::ABSENT;

use super::{
    table::{Alternative, Kind, Need, Program, SIGNALS, Signal},
    tier::Tier,
};
use crate::kernel::{Facts, hooks::Tracefs, privileges::Lockdown};

/// The request for tracing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRequest {
    /// Requested signals, in any order.
    pub signals: Vec<Signal>,
    /// The only tier to try, if forced.
    pub tier: Option<Tier>,
    /// Signals of `signals` whose events are streamed, not only counted.
    pub events: Vec<Signal>,
}

/// What to try, signal by signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Signals in the order of the table.
    pub signals: Vec<SignalPlan>,
    /// Whether maps count as locked memory on this kernel.
    pub locks_memory: bool,
    /// Whether this process may trace; if so, EPERM has another cause than privileges.
    pub may_trace: bool,
}

/// The tiers of one signal, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalPlan {
    /// The signal.
    pub signal: Signal,
    /// Tiers, best first; those that the facts rule out have a reason.
    pub choices: Vec<Choice>,
}

/// One tier of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The tier.
    pub tier: Tier,
    /// Why the tier is ruled out, as far as facts show; `None`: worth trying.
    pub ruled_out: Option<String>,
    /// Whether only privileges of this process rule it out: a process with more could try.
    pub for_privileges: bool,
    /// Whether privileges are involved: a mount is missing, and this process must not create it.
    pub is_forbidden: bool,
    /// Programs to attach, in order.
    pub programs: Vec<&'static Program>,
    /// Limitations of this tier on this kernel, in words.
    pub limitations: Vec<String>,
}

impl Plan {
    /// The choices of a signal; empty if it is not requested.
    pub fn choices(&self, signal: Signal) -> &[Choice] {
        self.signals.iter().find(|planned| planned.signal == signal).map_or(&[], |planned| &planned.choices)
    }

    /// Whether there is nothing to try.
    pub fn rules_out_all(&self) -> bool {
        self.signals.iter().flat_map(|planned| &planned.choices).all(|choice| choice.ruled_out.is_some())
    }
}

/// Decides what to try.
pub fn plan(facts: &Facts, request: &PlanRequest) -> Plan {
    let rows = SIGNALS.iter().filter(|row| request.signals.contains(&row.signal));
    Plan {
        signals: rows
            .map(|row| SignalPlan {
                signal: row.signal,
                choices: row
                    .alternatives
                    .iter()
                    .filter(|alternative| request.tier.is_none_or(|tier| tier == alternative.tier))
                    .map(|alternative| choose(facts, request, row.signal, alternative))
                    .collect(),
            })
            .collect(),
        locks_memory: facts.accounts_locked_memory,
        may_trace: facts.privileges.may_trace(),
    }
}

fn choose(facts: &Facts, request: &PlanRequest, signal: Signal, alternative: &'static Alternative) -> Choice {
    let mut choice = Choice {
        tier: alternative.tier,
        ruled_out: kernel_misses(facts).or_else(|| tier_misses(facts, alternative.tier)),
        for_privileges: false,
        is_forbidden: false,
        programs: Vec::new(),
        limitations: Vec::new(),
    };
    choice.limitations.extend((!alternative.limitations.is_empty()).then(|| alternative.limitations.to_owned()));
    for program in alternative.programs {
        let missing = hook_misses(facts, program).or_else(|| variant_misses(facts, alternative, program));
        if missing.is_none() && !fits(facts, program) {
            continue;
        }
        match (program.need, missing) {
            (Need::Events, _) if !request.events.contains(&signal) => {}
            (_, None) => choice.programs.push(program),
            (Need::Optional(limitations) | Need::IfPresent(limitations), Some(why)) => {
                choice.lose(format!("{limitations} ({why})"))
            }
            (Need::OrNext, Some(_)) => {}
            (Need::Required | Need::Events, Some(why)) => {
                choice.ruled_out.get_or_insert(why);
            }
        }
    }
    choice.limitations.extend(blind_spots(facts, signal, alternative.tier));
    // Checked last, because a reason that no privilege helps against is more useful.
    if choice.ruled_out.is_none() {
        choice.ruled_out = facts.privileges.missing_for_tracing();
        choice.for_privileges = choice.ruled_out.is_some();
        choice.is_forbidden = choice.for_privileges;
    } else if kernel_misses(facts).is_none() && choice.programs.len() < alternative.programs.len() {
        choice.is_forbidden = alternative.programs.iter().any(|program| {
            matches!(program.kind, Kind::Tracepoint { .. })
                && match facts.hooks.tracefs {
                    Tracefs::NotMounted => !facts.privileges.may_mount(),
                    Tracefs::Forbidden => true,
                    Tracefs::Mounted | Tracefs::Absent => false,
                }
        });
    }
    choice
}

impl Choice {
    /// Adds a limitation once; two programs may have the same.
    fn lose(&mut self, what: String) {
        if !self.limitations.contains(&what) {
            self.limitations.push(what);
        }
    }
}

/// Whether this is the program, among several for one hook, that knows where this kernel's return value is.
fn fits(facts: &Facts, program: &Program) -> bool {
    program.params.is_none_or(|params| params == params_of(facts, program.hook))
}

fn params_of(facts: &Facts, hook: &str) -> u16 {
    match hook {
        "__inet_hash_connect" => facts.offsets.hash_connect_params,
        "__inet_check_established" | "__inet6_check_established" => facts.offsets.check_established_params,
        "tcp_timewait_state_process" => facts.offsets.timewait_process_params,
        "__cgroup_bpf_run_filter_sock_addr" => facts.offsets.cgroup_sock_addr_params,
        "inet_csk_accept" => facts.offsets.accept_params,
        _ => ABSENT,
    }
}

/// Why no program fits a hook with an unknown prototype: guessing would read wrong values.
fn variant_misses(facts: &Facts, alternative: &Alternative, program: &Program) -> Option<String> {
    program.params?;
    let known = alternative.programs.iter().any(|other| other.hook == program.hook && fits(facts, other));
    (!known).then(|| {
        format!("{} has {} parameters, and no program handles that", program.hook, params_of(facts, program.hook))
    })
}

/// Why this kernel can run no program.
fn kernel_misses(facts: &Facts) -> Option<String> {
    if let Err(why) = &facts.btf {
        Some(format!("needs kernel BTF to find fields, but {why}"))
    } else if !facts.ring_buffer {
        Some("the kernel has no BPF ring buffer (5.8 and later have it)".into())
    } else if facts.lockdown == Some(Lockdown::Confidentiality) {
        Some("the kernel is locked down (confidentiality): programs may not read its memory".into())
    } else {
        None
    }
}

/// Why this kernel can run no program of a tier. Whether fentry works is found out by trying.
fn tier_misses(facts: &Facts, tier: Tier) -> Option<String> {
    match tier {
        Tier::Kprobe if !facts.hooks.kprobe_pmu => Some("the kernel has no kprobe PMU (CONFIG_KPROBE_EVENTS)".into()),
        Tier::Kprobe if !facts.hooks.kretprobe => Some("the kernel has no kretprobes".into()),
        _ => None,
    }
}

fn hook_misses(facts: &Facts, program: &Program) -> Option<String> {
    let hooks = &facts.hooks;
    match program.kind {
        Kind::Fentry | Kind::Fexit | Kind::Kprobe | Kind::Kretprobe | Kind::Iterator => {
            (!hooks.functions.contains(program.hook)).then(|| format!("the kernel has no function {}", program.hook))
        }
        Kind::BtfTracepoint | Kind::RawTracepoint => (!hooks.tracepoints.contains(program.hook))
            .then(|| format!("the kernel has no tracepoint {}", program.hook)),
        Kind::Clock => None,
        Kind::Tracepoint { .. } => match hooks.tracefs {
            Tracefs::Mounted => None,
            Tracefs::NotMounted if facts.privileges.may_mount() => None,
            Tracefs::NotMounted => Some("tracefs is not mounted, and a private mount needs CAP_SYS_ADMIN".into()),
            Tracefs::Forbidden => Some("this user cannot read tracefs".into()),
            Tracefs::Absent => Some("the kernel has no tracefs".into()),
        },
    }
}

/// Limitations of the signal on this kernel, whatever is attached.
fn blind_spots(facts: &Facts, signal: Signal, tier: Tier) -> Vec<String> {
    match (signal, tier, &facts.table_perturb) {
        (Signal::Connect, Tier::Fentry | Tier::Kprobe, Err(why)) => {
            vec![format!("ports visited are known only while port probes are attached: {why}")]
        }
        (Signal::TimeWait, ..) if facts.offsets.tw_count == tcp_trace_common::offsets::ABSENT => {
            vec!["the number of TIME_WAIT sockets is unknown".into()]
        }
        _ => Vec::new(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for planned in &self.signals {
            writeln!(f, "{}", planned.signal)?;
            for choice in &planned.choices {
                let verdict = match &choice.ruled_out {
                    Some(why) => format!("no: {why}"),
                    None => format!("will be tried, {} programs", choice.programs.len()),
                };
                writeln!(f, "  {:<10}  {verdict}", choice.tier)?;
                if choice.ruled_out.is_none() {
                    for limitations in &choice.limitations {
                        writeln!(f, "              - {limitations}")?;
                    }
                }
            }
            if planned.signal == Signal::TimeWait {
                writeln!(f, "  {:<10}  always: {SAMPLED}", "/proc")?;
            }
        }
        Ok(())
    }
}

/// What TIME_WAIT shows without programs.
pub const SAMPLED: &str = "level and overflows of the agent's own namespace, from sockstat and netstat";
