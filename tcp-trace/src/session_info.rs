// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known before the first event, whatever will be asked of it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Moment,
    kernel::rules::{SearchRules, Sysctls},
    machine::Machine,
    mode::Mode,
    model::{scope::Scope, time_wait::TimeWaitSnapshot},
    probes::{attach::Trial, table::Signal, tier::Tier},
};

/// Where and how one looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// When it began.
    pub begin: Moment,
    /// Between two ticks.
    pub interval: Duration,
    /// Release of the kernel.
    pub kernel: String,
    /// How it searches for ports.
    pub rules: SearchRules,
    /// It was asked, by its BTF: without that the rules are those of no kernel in particular.
    pub rules_known: bool,
    /// How it is set up to.
    pub sysctls: Sysctls,
    /// What it can show, and why not more.
    pub machine: Machine,
    /// Something is attached.
    pub traced: bool,
    /// Signals that programs are attached for.
    pub signals: BTreeMap<Signal, ActiveSignal>,
    /// Of these, those whose events come one by one, connect apart.
    pub streamed: Vec<Signal>,
    /// The kernel side adds up each attempt that ends, by who and where: what is counted rests on that. Otherwise, as in
    /// recordings from before there were rows, it rests on events.
    #[serde(default)]
    pub has_rows: bool,
    /// Sockets are looked at, too.
    pub surveyed: bool,
    /// Why ports visited are known only while port probes are attached.
    pub table_perturb_unknown: Option<String>,
    /// TIME_WAIT as /proc tells it, where no program sees it: its totals are sampled from there.
    pub time_wait_start: Option<TimeWaitSnapshot>,
    /// What segments do to TIME_WAIT is told from its other ends.
    pub time_wait_in_detail: bool,
    /// Destinations of interest.
    pub scope: Scope,
    /// What the reader should know about the numbers, whatever the question.
    pub notes: Vec<String>,
}

/// A signal that programs are attached for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSignal {
    /// How.
    pub tier: Tier,
    /// What cannot be told so.
    #[serde(alias = "loses")]
    pub limitations: Vec<String>,
}

impl ActiveSignal {
    /// Of a trial that attached.
    pub fn of(trial: &Trial) -> (Signal, Self) {
        (trial.signal, Self { tier: trial.tier, limitations: trial.limitations.clone() })
    }
}

impl SessionInfo {
    /// At work for the signal that the question is about.
    pub fn tier(&self, mode: Mode) -> Option<Tier> {
        self.signals.get(&mode.main_signal()).map(|active| active.tier)
    }

    /// What the reader of an answer should know about its numbers.
    pub fn notes(&self, mode: Mode) -> Vec<String> {
        let main = mode.main_signal();
        let mut notes = self.signals.get(&main).map(|active| active.limitations.clone()).unwrap_or_default();
        if main == Signal::Connect
            && matches!(self.tier(mode), Some(Tier::Fentry | Tier::Kprobe))
            && let Some(why) = &self.table_perturb_unknown
        {
            notes.push(format!(
                "ports_visited is known only while port probes are attached: table_perturb is unknown ({why})"
            ));
        }
        if self.time_wait_start.is_some() && mode.signals().contains(&Signal::TimeWait) {
            notes.push(
                "TIME_WAIT comes from /proc/net of this network namespace only: level, reuse and overflow".into(),
            );
        }
        notes.extend(self.notes.iter().cloned());
        notes
    }
}
