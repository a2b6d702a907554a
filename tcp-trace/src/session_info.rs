// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known before the first event, independent of the command.

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

/// Machine and settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Start of the run.
    pub begin: Moment,
    /// Time between two ticks.
    pub interval: Duration,
    /// Release of the kernel.
    pub kernel: String,
    /// Properties of its port search.
    pub rules: SearchRules,
    /// Whether they come from its BTF; otherwise they describe no particular kernel.
    pub rules_known: bool,
    /// Its settings.
    pub sysctls: Sysctls,
    /// What this machine can show, and why not more.
    pub machine: Machine,
    /// Whether programs are attached.
    pub traced: bool,
    /// Signals with attached programs.
    pub signals: BTreeMap<Signal, ActiveSignal>,
    /// Signals, other than connect, whose events are sent one by one.
    pub streamed: Vec<Signal>,
    /// Whether the kernel side adds up each attempt that ends in rows, which counts are based on. Otherwise, as in
    /// recordings of versions without rows, counts are based on events.
    #[serde(default)]
    pub has_rows: bool,
    /// Whether sockets are read too.
    pub surveyed: bool,
    /// Why ports visited are known only while port probes are attached.
    pub table_perturb_unknown: Option<String>,
    /// First sample of TIME_WAIT from /proc, where no program traces it.
    pub time_wait_start: Option<TimeWaitSnapshot>,
    /// Whether the effect of segments on TIME_WAIT is distinguished from its other ends.
    pub time_wait_in_detail: bool,
    /// Destinations of the run.
    pub scope: Scope,
    /// Notes on the numbers, independent of the command.
    pub notes: Vec<String>,
}

/// A signal with attached programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSignal {
    /// Its tier.
    pub tier: Tier,
    /// Its limitations, in words.
    #[serde(alias = "loses")]
    pub limitations: Vec<String>,
}

impl ActiveSignal {
    /// The signal of a trial that attached.
    pub fn of(trial: &Trial) -> (Signal, Self) {
        (trial.signal, Self { tier: trial.tier, limitations: trial.limitations.clone() })
    }
}

impl SessionInfo {
    /// Tier of the question's main signal.
    pub fn tier(&self, mode: Mode) -> Option<Tier> {
        self.signals.get(&mode.main_signal()).map(|active| active.tier)
    }

    /// Notes on the numbers of a report.
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
