// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `conntrack-full`: the connection tracking table is full, and packets of new connections are dropped.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{aggregate::limits::LimitsSnapshot, inventory::limits::Conntrack, kernel::rules::Sysctls};

/// Usage from which the table is nearly full: the rest absorbs a burst of a minute, but not an hour of growth.
const NEAR: f64 = 0.85;

pub(super) fn find(limits: &LimitsSnapshot, sysctls: &Sysctls) -> Vec<Finding> {
    let Some(now) = &limits.now else { return Vec::new() };
    let bytes = now.object_bytes.conntrack;
    now.conntrack.iter().filter_map(|table| describe(table, limits.dropped(table), bytes, sysctls)).collect()
}

fn describe(table: &Conntrack, dropped: Option<u64>, entry_bytes: Option<u64>, sysctls: &Sysctls) -> Option<Finding> {
    let share = table.taken.share()?;
    let drops = dropped.is_some_and(|dropped| dropped > 0);
    if share < NEAR && !drops {
        return None;
    }
    let (used, limit) = (table.taken.used?, table.taken.limit?);
    let of = format!("{} of {} entries", grouped(used), grouped(limit));
    let headline = match dropped {
        Some(dropped) if dropped > 0 => format!(
            "conntrack dropped {} packet{} because its table was full: {of} are in use; connects wait for a SYN retransmit",
            grouped(dropped),
            if dropped == 1 { "" } else { "s" }
        ),
        _ => format!("{of} of conntrack are in use: once the table is full, packets of new connections are dropped"),
    };
    Some(Finding {
        code: Code::ConntrackFull,
        severity: if drops { Severity::Critical } else { Severity::Warning },
        headline,
        evidence: vec![
            ("netns", Evidence::Number(table.netns.into())),
            ("entries", Evidence::Number(used)),
            ("nf_conntrack_max", Evidence::Number(limit)),
            ("share", Evidence::Share(share)),
            ("dropped", Evidence::number(dropped)),
            ("dropped_since_boot", Evidence::number(table.dropped)),
            ("early_dropped_since_boot", Evidence::number(table.early_dropped)),
            ("buckets", Evidence::number(table.buckets)),
            ("timeout_time_wait_s", Evidence::number(table.time_wait_s)),
            ("timeout_established_s", Evidence::number(table.established_s)),
        ],
        fix: fix(table, limit, sysctls),
        gain: Some(format!("room for {} more connections in each network namespace", grouped(limit))),
        risk: entry_bytes.map(|bytes| format!("each entry takes {bytes} bytes of unswappable kernel memory")),
    })
}

fn fix(table: &Conntrack, limit: u64, sysctls: &Sysctls) -> Vec<String> {
    let mut lines = Vec::new();
    let elsewhere = sysctls.netns.is_some_and(|own| own != table.netns);
    // The namespace of PID 1 is the initial one unless tcp-trace runs in a container.
    let (initial, there) = if elsewhere { ("nsenter -t 1 -n ", "nsenter -t PID -n ") } else { ("", "") };
    if elsewhere {
        lines.push("# the limit applies to every network namespace; set it in the initial one:".into());
    }
    lines.push(format!("{initial}sysctl -w net.netfilter.nf_conntrack_max={}", limit * 2));
    // The kernel's own ratio when it chooses both values; longer chains make each packet more expensive.
    if table.buckets.is_some_and(|buckets| limit * 2 > buckets * 4) {
        let buckets = (limit / 2).next_power_of_two();
        lines.push(format!("{initial}sysctl -w net.netfilter.nf_conntrack_buckets={buckets}"));
    }
    if table.time_wait_s.is_some_and(|seconds| seconds > 60) {
        lines.push("# entries of closed connections outlive the sockets (60 s):".into());
        lines.push(format!("{there}sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=60"));
    }
    lines.push("# or skip tracking for traffic that needs no state: a notrack rule in the raw table".into());
    lines
}
