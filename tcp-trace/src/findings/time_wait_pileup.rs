// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `time-wait-pileup`: TIME_WAIT takes, or will soon take, much of the ports towards a destination, because the
//! local process closes first.

use super::{Code, DestinationContext, Evidence, Finding, Severity, fix, grouped};
use crate::{
    aggregate::{
        observed::Observed,
        ports::{Group, held::By, reuse::Reuse},
        tally::Tally,
    },
    event::Side,
    kernel::rules::{SearchRules, Sysctls},
    model::peer::owner,
};

/// Fewer sockets in TIME_WAIT are no pile.
const ENOUGH: u64 = 100;
/// Length of TIME_WAIT in seconds, `TCP_TIMEWAIT_LEN`.
const SECONDS: f64 = 60.0;

pub(super) fn find(observed: &Observed, rules: &SearchRules, own: &Sysctls) -> Vec<Finding> {
    observed.ports.groups.iter().filter_map(|group| of_group(observed, rules, own, group)).collect()
}

fn of_group(observed: &Observed, rules: &SearchRules, own: &Sysctls, group: &Group) -> Option<Finding> {
    let waiting = u64::from(group.held.by(By::TimeWait).both());
    let reusable = u64::from(group.held.by(By::TimeWaitReusable).both());
    let level = waiting + reusable;
    let ports = u64::from(group.range.high.saturating_sub(group.range.low)) + 1;
    let destination = group.route.destination();
    let owners: Vec<_> = observed
        .time_wait_owners
        .iter()
        .filter(|row| {
            let peer = &row.peer;
            peer.side == Side::Opened
                && (peer.netns, peer.address, peer.port) == (destination.netns, destination.daddr, destination.dport)
        })
        .collect();
    // Without programs, or before the first socket entered TIME_WAIT, there is no count.
    let seen = !owners.is_empty();
    let entered: u64 = owners.iter().map(|row| row.entered).sum();
    let per_second = (observed.seconds > 0.0 && entered > 0).then(|| entered as f64 / observed.seconds);
    // A minisocket stays for a minute: the level this rate leads to, if it continues and none is reused.
    let ahead = per_second.map(|rate| (rate * SECONDS) as u64);
    let much = level * 4 >= ports || ahead.is_some_and(|ahead| ahead * 4 >= ports);
    if level < ENOUGH || !much {
        return None;
    }
    let unseen = Tally::default();
    let context = DestinationContext::of_sockets(observed, rules, own, group, &unseen);
    let who = owners.iter().max_by_key(|row| row.entered).map(|row| owner(&row.peer, &row.who));
    let by = who.as_ref().map_or(String::new(), |who| format!(", closed first by {who}"));
    Some(Finding {
        code: Code::TimeWaitPileup,
        severity: Severity::Warning,
        headline: format!(
            "{} of {} ports towards {} are in TIME_WAIT{by}; {}",
            grouped(level),
            grouped(ports),
            context.to(),
            match group.reuse {
                Reuse::After { .. } => "connect() may reuse them, at the cost of checking each".to_owned(),
                _ => format!("connect() cannot reuse them: {}", group.reuse.words()),
            }
        ),
        evidence: vec![
            ("destination", Evidence::Text(context.to())),
            ("netns", Evidence::Text(observed.netns_label(destination.netns))),
            ("owner", who.map_or(Evidence::Unknown, Evidence::Text)),
            ("time_wait", Evidence::Number(level)),
            ("time_wait_reusable", Evidence::Number(reusable)),
            ("time_wait_share", Evidence::Share(level as f64 / ports as f64)),
            ("entered", Evidence::number(seen.then_some(entered))),
            ("reused", Evidence::number(seen.then(|| owners.iter().map(|row| row.reused).sum()))),
            ("expected_in_a_minute", Evidence::number(ahead)),
            ("ports", Evidence::Number(ports)),
            ("reuse", Evidence::Text(group.reuse.words())),
        ],
        fix: fix::more_ports(&context),
        gain: per_second.map(|rate| format!("persistent connections leave no TIME_WAIT: {rate:.0} fewer a second")),
        risk: Some(
            "tcp_tw_reuse=1 reuses ports in TIME_WAIT after a second: safe with peers that use timestamps, which it requires"
                .into(),
        ),
    })
}
