// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plan and trials as verdicts: for each tier of each signal whether it works, and why not. Pure.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{
    exit::{Failure, Tried},
    probes::{
        attach::Trial,
        plan::{Plan, SAMPLED},
        refusal::Refusal,
        table::{SIGNALS, Signal},
        tier::Tier,
    },
};

/// Result for a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Attached.
    Works,
    /// The kernel refused it.
    Refused,
    /// The facts rule it out.
    RuledOut,
    /// A better tier works.
    NotNeeded,
    /// Only privileges are missing.
    NotTried,
}

/// One tier of one signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    signal: Signal,
    tier: Tier,
    #[serde(rename = "verdict")]
    outcome: Outcome,
    reason: Option<String>,
    /// Kind of the reason, if the kernel refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    #[serde(alias = "loses")]
    limitations: Vec<String>,
    verifier_log: Option<String>,
}

impl Verdict {
    /// All verdicts; `trials`: what was tried, or why nothing was although the plan has something to try.
    pub fn all(plan: &Plan, trials: Result<&[Trial], &str>) -> Vec<Self> {
        let tiers = plan.signals.iter().flat_map(|planned| {
            planned.choices.iter().map(move |choice| {
                let of_choice = |trial: &&Trial| trial.signal == planned.signal && trial.tier == choice.tier;
                let trial = trials.map(|trials| trials.iter().find(of_choice));
                (planned.signal, choice, trial)
            })
        });
        tiers
            .map(|(signal, choice, trial)| {
                let (outcome, reason) = match (&choice.ruled_out, trial) {
                    (Some(_), _) if choice.for_privileges => (Outcome::NotTried, choice.ruled_out.clone()),
                    (Some(_), _) => (Outcome::RuledOut, choice.ruled_out.clone()),
                    (None, Err(why)) => (Outcome::Refused, Some(why.to_owned())),
                    (None, Ok(Some(trial))) if trial.refused.is_some() => (Outcome::Refused, trial.refused.clone()),
                    (None, Ok(Some(_))) => (Outcome::Works, None),
                    (None, Ok(None)) => (Outcome::NotNeeded, None),
                };
                let trial = trial.ok().flatten();
                Self {
                    signal,
                    tier: choice.tier,
                    outcome,
                    reason,
                    refusal: trial
                        .and_then(|trial| trial.refusal)
                        .map(|(kind, _)| kind)
                        .filter(|_| outcome == Outcome::Refused),
                    limitations: trial.map_or_else(|| choice.limitations.clone(), |trial| trial.limitations.clone()),
                    verifier_log: trial.and_then(|trial| trial.verifier_log.clone()),
                }
            })
            .collect()
    }

    /// Whether its programs are attached.
    pub fn works(&self) -> bool {
        self.outcome == Outcome::Works
    }

    fn words(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        match self.outcome {
            Outcome::Works => "works".into(),
            Outcome::Refused => format!("refused: {reason}"),
            Outcome::RuledOut => format!("no: {reason}"),
            Outcome::NotNeeded => "not needed: a better tier works".into(),
            Outcome::NotTried => format!("not tried: {reason}"),
        }
    }
}

pub(super) fn text(verdicts: &[Verdict], may_trace: bool) -> String {
    let mut text = String::new();
    // Writing to a `String` never fails.
    for signal in SIGNALS.iter().map(|row| row.signal) {
        let of_signal = || verdicts.iter().filter(|verdict| verdict.signal == signal);
        let active = of_signal().find(|verdict| verdict.outcome == Outcome::Works);
        let headline = match active {
            Some(verdict) => format!("{} tier", verdict.tier),
            None if of_signal().any(|verdict| verdict.outcome == Outcome::NotTried) => "unknown without root".into(),
            None if signal == Signal::TimeWait => "sampled".into(),
            None => "not available".into(),
        };
        let _ = writeln!(text, "{signal:<14} {headline}");
        for verdict in of_signal() {
            let _ = writeln!(text, "  {:<12} {}", verdict.tier, verdict.words());
            if matches!(verdict.outcome, Outcome::Works | Outcome::NotTried) {
                for limitations in &verdict.limitations {
                    let _ = writeln!(text, "  {:<12} - {limitations}", "");
                }
            }
        }
        if signal == Signal::TimeWait {
            let _ = writeln!(text, "  {:<12} always: {SAMPLED}", "/proc");
        }
    }
    let forbidden = |verdict: &Verdict| verdict.refusal == Some(Refusal::Forbidden);
    if may_trace && verdicts.iter().any(forbidden) {
        text.push_str("\nEPERM although this process may trace: a security module, a container or a sandbox forbids such programs\n");
    }
    text
}

/// Checks whether connects can be traced here, at least by root.
pub(super) fn ensure_traceable(verdicts: &[Verdict], may_trace: bool) -> Result<(), Failure> {
    let connect = || verdicts.iter().filter(|verdict| verdict.signal == Signal::Connect);
    if connect().any(|verdict| matches!(verdict.outcome, Outcome::Works | Outcome::NotTried)) {
        return Ok(());
    }
    let tried =
        connect().map(|verdict| Tried::new(verdict.tier.to_string(), verdict.reason.clone().unwrap_or_default()));
    let headline = "cannot trace connect: no tier is available".into();
    let (tried, try_next) = (tried.collect(), Vec::new());
    let refused_as = |refusal| connect().any(|verdict| verdict.refusal == Some(refusal));
    Err(if refused_as(Refusal::Exhausted) {
        let try_next = vec!["run it again with more file descriptors (ulimit -n 1024) and memory".into()];
        Failure::Failed { headline: "cannot trace connect now".into(), tried, try_next }
    } else if may_trace && refused_as(Refusal::Forbidden) {
        Failure::NotPermitted { headline, tried, try_next }
    } else {
        Failure::KernelLacks { headline, tried, try_next }
    })
}
