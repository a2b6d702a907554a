// SPDX-License-Identifier: MIT OR Apache-2.0
//! Causes, in words, with the numbers they rest on and what to do about them on this kernel. A quiet machine has none.

mod avoid;
mod conntrack_full;
mod fix;
mod limit_near;
mod parity_cliff;
mod range_full;
#[cfg(test)]
mod tests;
mod time_wait_overflow;
mod unreached;
mod unsafe_sysctl;

use std::fmt;

use super::observed::Observed;
use super::tally::{Destination, Tally};
use super::time_wait::TimeWaitSnapshot;
use super::words::grouped;
use crate::kernel::rules::{SearchRules, Sysctls};

/// A cause with evidence and a fix.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the runbook calls it.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The cause in one sentence.
    pub headline: String,
    /// Numbers it rests on, in the order in which they are read.
    pub evidence: Vec<(&'static str, Evidence)>,
    /// What to do, best first. Safe to paste: what is not a command is a comment.
    pub fix: Vec<String>,
    /// What that is expected to change, on this kernel and with these numbers.
    pub gain: Option<String>,
    /// What it may cost.
    pub risk: Option<String>,
}

/// Names of causes. Of findings that are equally bad the one whose code is first here is told first: causes before what
/// follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Ports bear the mark of an explicit `bind()`, and every connect skips them.
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
    /// The look-up of a listener walks a long chain.
    ListenerChain,
    /// The peer closed, and the application does not.
    CloseWaitLeak,
    /// Connections are reset by their owner's SO_LINGER 0, or its `close()` blocks.
    LingerReset,
    /// The table of connections is full.
    ConntrackFull,
    /// A process or the machine is about to run out of descriptors or of memory for TCP.
    LimitNear,
    /// `tcp_max_tw_buckets` is reached: connections skip TIME_WAIT.
    TimeWaitOverflow,
    /// TIME_WAIT takes most of the ports towards a destination.
    TimeWaitPileup,
    /// Connections live shorter than what it takes to make them is worth.
    ShortConnections,
    /// SYNs had to be sent again.
    SlowHandshake,
    /// A destination refuses connects: the ports are not the trouble.
    ConnectRefused,
    /// A destination answers no SYN.
    ConnectUnanswered,
    /// A setting that does harm, or does not do what it is thought to.
    UnsafeSysctl,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Connects fail, or most of their cost is this.
    Critical,
    /// It costs.
    Warning,
    /// Good to know.
    Info,
}

/// One number or name.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// A count, or a duration in the unit that its name says.
    Number(u64),
    /// A share, 0 to 1.
    Share(f64),
    /// A name.
    Text(String),
    /// Whether it is so.
    Flag(bool),
    /// Not known on this tier or kernel.
    Unknown,
}

impl Evidence {
    /// A count that may not be known.
    pub fn number(value: Option<u64>) -> Self {
        value.map_or(Self::Unknown, Self::Number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
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
        })
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

/// Everything found in what was observed, worst first.
pub fn findings(observed: &Observed, rules: &SearchRules, sysctls: &Sysctls) -> Vec<Finding> {
    let Observed { connect, time_wait, limits, .. } = observed;
    let mut found = Vec::new();
    for row in &connect.destinations {
        let scene = Scene { destination: row.key, tally: &row.value, time_wait, rules, sysctls };
        found.extend(range_full::find(&scene));
        found.extend(parity_cliff::find(&scene));
        found.extend(unreached::refused(&scene));
        found.extend(unreached::unanswered(&scene));
    }
    if connect.told < connect.connects {
        // Counts are lower bounds then.
        for finding in &mut found {
            finding.evidence.push(("connects_told", Evidence::Number(connect.told)));
            finding.evidence.push(("connects_made", Evidence::Number(connect.connects)));
        }
    }
    found.extend(time_wait_overflow::find(time_wait, sysctls));
    found.extend(conntrack_full::find(limits, sysctls));
    found.extend(limit_near::find(limits));
    found.extend(unsafe_sysctl::find(&limits.settings, sysctls.netns));
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

/// What is known around one destination.
struct Scene<'a> {
    destination: Destination,
    tally: &'a Tally,
    time_wait: &'a TimeWaitSnapshot,
    rules: &'a SearchRules,
    sysctls: &'a Sysctls,
}

impl Scene<'_> {
    /// `10.0.0.2:3306`
    fn to(&self) -> String {
        std::net::SocketAddr::new(self.destination.daddr, self.destination.dport).to_string()
    }

    /// Minisockets of the namespace now.
    fn time_wait_level(&self) -> Option<u64> {
        self.time_wait.get(&self.destination.netns)?.level
    }

    /// Whether TIME_WAIT holds the ports. From the refused candidates where they were sampled; otherwise the
    /// namespace's level can only say that there are too few minisockets to matter.
    fn held_by_time_wait(&self) -> Option<bool> {
        let (time_wait, in_use) = (self.tally.time_wait.sum, self.tally.in_use.sum);
        if time_wait + in_use > 0 {
            return Some(time_wait * 10 >= time_wait + in_use);
        }
        let ports = self.ports()?;
        (self.time_wait_level()? < ports / 10).then_some(false)
    }

    fn ports(&self) -> Option<u64> {
        let (low, high) = self.tally.range?;
        Some(u64::from(high - low) + 1)
    }

    fn caller(&self) -> Evidence {
        self.tally
            .caller
            .as_ref()
            .map_or(Evidence::Unknown, |caller| Evidence::Text(format!("{} ({})", caller.comm, caller.pid)))
    }

    fn range(&self) -> Evidence {
        self.tally.range.map_or(Evidence::Unknown, |(low, high)| Evidence::Text(format!("{low}-{high}")))
    }
}
