// SPDX-License-Identifier: MIT OR Apache-2.0
//! Causes in words, with the numbers they are based on and what to do about them on this kernel. A healthy machine has
//! none.

mod accept_queue;
mod avoid;
mod bind_before_connect;
mod close_wait_leak;
mod conntrack_full;
mod destination;
mod fix;
#[cfg(test)]
mod hostile_tests;
mod limit_near;
mod linger_reset;
mod listener_chain;
pub(crate) mod netns_shell;
mod pages;
mod parity_cliff;
mod poisoned_buckets;
#[cfg(test)]
mod queues_tests;
mod range_full;
mod short_connections;
mod slow_handshake;
mod syn_queue;
mod telling;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_states;
mod time_wait_overflow;
mod time_wait_pileup;
mod unreached;
mod unsafe_sysctl;

use std::{collections::BTreeSet, fmt};

use self::destination::DestinationContext;
use crate::{
    aggregate::{bind::BindSnapshot, observed::Observed, tally::Tally, words::grouped},
    kernel::rules::{SearchRules, Sysctls},
};

/// A cause with evidence and a fix.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Code of the cause, as in the documentation.
    pub code: Code,
    /// Severity of the cause.
    pub severity: Severity,
    /// The cause in one sentence.
    pub headline: String,
    /// The numbers that the finding is based on, in reading order.
    pub evidence: Vec<(&'static str, Evidence)>,
    /// Fixes, best first. Safe to paste: every line is a command or a comment.
    pub fix: Vec<String>,
    /// Expected effect of the fix, on this kernel and with these numbers.
    pub gain: Option<String>,
    /// Possible drawbacks of the fix.
    pub risk: Option<String>,
}

/// Codes of causes. Findings of equal severity are shown in this order: causes before their consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Ports carry the mark of an explicit `bind()`, and every connect skips them.
    PoisonedBuckets,
    /// `bind()` chose the ports that `connect()` could have shared.
    BindBeforeConnect,
    /// The whole range is full towards a destination.
    RangeFull,
    /// One parity of the range is full towards a destination: every connect walks all of it first.
    ParityCliff,
    /// A listener's accept queue is full: its application does not accept fast enough.
    AcceptQueueOverflow,
    /// A listener's SYN queue is full.
    SynQueueOverflow,
    /// The lookup of a listener walks a long chain.
    ListenerChain,
    /// The peer closed, and the application does not.
    CloseWaitLeak,
    /// SO_LINGER of 0 s resets connections, or SO_LINGER makes `close()` block.
    LingerReset,
    /// The connection tracking table is full.
    ConntrackFull,
    /// A process or the machine is about to run out of file descriptors or TCP memory.
    LimitNear,
    /// TIME_WAIT takes most of the ports towards a destination.
    TimeWaitPileup,
    /// `tcp_max_tw_buckets` is reached: connections skip TIME_WAIT.
    TimeWaitOverflow,
    /// Connections are too short for the cost of making them.
    ShortConnections,
    /// SYNs had to be retransmitted.
    SlowHandshake,
    /// A destination refuses connects; the ports are not the cause.
    ConnectRefused,
    /// A destination answers no SYN.
    ConnectUnanswered,
    /// A setting does harm, or does not have its intended effect.
    UnsafeSysctl,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Connects fail, or this causes most of their cost.
    Critical,
    /// Measurable performance impact.
    Warning,
    /// Worth knowing.
    Info,
}

/// One value of evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// A count, or a duration in the unit that its name says.
    Number(u64),
    /// A share, 0 to 1.
    Share(f64),
    /// A name.
    Text(String),
    /// A yes-or-no value.
    Flag(bool),
    /// Unknown on this tier or kernel.
    Unknown,
}

impl Evidence {
    /// A count that may be unknown.
    pub fn number(value: Option<u64>) -> Self {
        value.map_or(Self::Unknown, Self::Number)
    }
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::PoisonedBuckets,
        Self::BindBeforeConnect,
        Self::RangeFull,
        Self::ParityCliff,
        Self::AcceptQueueOverflow,
        Self::SynQueueOverflow,
        Self::ListenerChain,
        Self::CloseWaitLeak,
        Self::LingerReset,
        Self::ConntrackFull,
        Self::LimitNear,
        Self::TimeWaitPileup,
        Self::TimeWaitOverflow,
        Self::ShortConnections,
        Self::SlowHandshake,
        Self::ConnectRefused,
        Self::ConnectUnanswered,
        Self::UnsafeSysctl,
    ];

    /// The code as reports print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PoisonedBuckets => "poisoned-buckets",
            Self::BindBeforeConnect => "bind-before-connect",
            Self::RangeFull => "range-full",
            Self::ParityCliff => "parity-cliff",
            Self::AcceptQueueOverflow => "accept-queue-overflow",
            Self::SynQueueOverflow => "syn-queue-overflow",
            Self::ListenerChain => "listener-chain",
            Self::CloseWaitLeak => "close-wait-leak",
            Self::LingerReset => "linger-reset",
            Self::ConntrackFull => "conntrack-full",
            Self::LimitNear => "limit-near",
            Self::TimeWaitOverflow => "time-wait-overflow",
            Self::TimeWaitPileup => "time-wait-pileup",
            Self::ShortConnections => "short-connections",
            Self::SlowHandshake => "slow-handshake",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectUnanswered => "connect-unanswered",
            Self::UnsafeSysctl => "unsafe-sysctl",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// All findings about what was observed, worst first.
pub fn findings(observed: &Observed, rules: &SearchRules, sysctls: &Sysctls) -> Vec<Finding> {
    let Observed { connect, time_wait, limits, .. } = observed;
    let mut found = Vec::new();
    for row in &connect.destinations {
        let context = DestinationContext::of_connects(observed, rules, sysctls, row.key, &row.value);
        found.extend(range_full::find(&context));
        found.extend(parity_cliff::find(&context));
        found.extend(unreached::refused(&context));
        found.extend(unreached::unanswered(&context));
    }
    if let Some(estimate) = connect.estimate() {
        // The counts are those of a sample.
        for finding in &mut found {
            finding.evidence.push(("connects_followed", Evidence::Number(connect.connects - connect.outcome_unknown)));
            finding.evidence.push(("connects_made", Evidence::Number(connect.connects)));
            finding.evidence.push(("estimate_error", Evidence::Share(estimate.error)));
        }
    }
    found.extend(ahead(observed, rules, sysctls));
    found.extend(poisoned_buckets::find(observed, rules, sysctls));
    found.extend(bind_before_connect::find(observed, sysctls));
    found.extend(time_wait_overflow::find(time_wait, sysctls));
    found.extend(time_wait_pileup::find(observed, rules, sysctls));
    found.extend(close_wait_leak::find(observed, sysctls));
    found.extend(linger_reset::find(observed));
    found.extend(short_connections::find(observed));
    found.extend(accept_queue::find(observed, sysctls));
    found.extend(syn_queue::find(observed, sysctls));
    found.extend(listener_chain::find(observed));
    found.extend(slow_handshake::find(observed));
    found.extend(conntrack_full::find(limits, sysctls));
    found.extend(limit_near::find(limits));
    found.extend(unsafe_sysctl::find(&limits.settings, sysctls.netns));
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

/// Network namespaces with known binds or marks.
fn bind_spaces(bind: &BindSnapshot) -> BTreeSet<u32> {
    let marked = bind.marks.iter().flatten().map(|space| space.netns);
    bind.binders.iter().map(|binder| binder.netns).chain(marked).collect()
}

/// Findings from the sockets, before connects suffer. Destinations with findings from their connects are skipped.
fn ahead(observed: &Observed, rules: &SearchRules, sysctls: &Sysctls) -> Vec<Finding> {
    let mut found = Vec::new();
    // Ports that are taken towards every destination of a namespace yield one finding.
    let mut told_in_common = Vec::new();
    for group in &observed.ports.groups {
        let destination = group.route.destination();
        let tally = observed.connect.destinations.iter().find(|row| row.key == destination).map(|row| &row.value);
        if tally.is_some_and(|tally| tally.exhausted > 0 || tally.second_pass >= parity_cliff::ENOUGH) {
            continue;
        }
        let unseen = Tally::default();
        let context = DestinationContext::of_sockets(observed, rules, sysctls, group, tally.unwrap_or(&unseen));
        let Some(finding) = range_full::ahead(&context, group).or_else(|| parity_cliff::ahead(&context, group)) else {
            continue;
        };
        if group.held.in_common() * 2 > group.held.taken().both() {
            if told_in_common.contains(&destination.netns) {
                continue;
            }
            told_in_common.push(destination.netns);
        }
        found.push(finding);
    }
    found
}
