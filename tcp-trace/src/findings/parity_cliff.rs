// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `parity-cliff`: the half of the range that connect() searches first is full towards one destination.

use super::{Code, DestinationContext, Evidence, Finding, Severity, fix, grouped};
use crate::aggregate::ports::Group;

/// One search in the second half may have met a burst; this many did not.
pub(super) const ENOUGH: u64 = 3;
/// A search of fewer candidates than this costs no more than the handshake.
pub(super) const CHEAP: u32 = 200;

const OF_POISON: &str = "# see the fix of poisoned-buckets: the ports are marked, not taken towards this destination";

/// The half is nearly full once fewer than one port in this many is free.
const NEARLY: u32 = 10;
/// Time in seconds to a full half at the current rate that counts as soon, once the half is half full.
const SOON_S: f64 = 600.0;

pub(super) fn find(context: &DestinationContext<'_>) -> Option<Finding> {
    let tally = context.tally;
    if tally.second_pass < ENOUGH {
        return None;
    }
    let share = tally.second_pass as f64 / tally.second_pass_known as f64;
    let visited = tally.second_pass_visited.mean();
    let half = context.ports().map(|ports| ports / 2);
    let walk = visited.or(half);
    let most_of_the_time = tally.second_pass_search_ns.sum * 2 > tally.search_ns.sum;
    let severity = match walk {
        Some(walk) if walk < CHEAP.into() => Severity::Info,
        _ if share >= 0.25 || most_of_the_time => Severity::Critical,
        _ => Severity::Warning,
    };
    // The search starts with the parity of the low end of the range.
    let parity = match tally.range {
        Some((low, _)) if low % 2 == 0 => "even half",
        Some(_) => "odd half",
        None => "first half",
    };
    let walked = match (visited, half) {
        (Some(visited), _) => format!("{} candidates before a free one", grouped(visited)),
        (None, Some(half)) => format!("all {} of it before the other half", grouped(half)),
        (None, None) => "all of it before the other half".to_owned(),
    };
    // A wider range would not help: the marks on these ports have to go.
    let poisoned = context.poisoned();
    let full = if poisoned { "poisoned, see above" } else { "full" };
    Some(Finding {
        code: Code::ParityCliff,
        severity,
        headline: format!(
            "the {parity} of the local ports towards {} is {full}: connect() walks {walked}",
            context.to()
        ),
        evidence: vec![
            ("destination", Evidence::Text(context.to())),
            ("netns", Evidence::Number(context.destination.netns.into())),
            ("connects", Evidence::Number(tally.connects)),
            ("second_pass", Evidence::Number(tally.second_pass)),
            ("second_pass_share", Evidence::Share(share)),
            ("ports_visited_mean", Evidence::number(visited)),
            ("ports_visited_max", Evidence::number((tally.visited.known > 0).then_some(tally.visited.max))),
            ("port_search_mean_ns", Evidence::number(tally.second_pass_search_ns.mean())),
            ("port_search_first_pass_mean_ns", Evidence::number(tally.first_pass_search_ns.mean())),
            ("range", context.range_evidence()),
            ("edge_at_connections", Evidence::number(half)),
            ("taken_by", context.taken_by()),
            ("time_wait_level", Evidence::number(context.time_wait_level())),
            ("caller", context.caller()),
        ],
        fix: if poisoned { vec![OF_POISON.into()] } else { fix::more_ports(context) },
        gain: fix::more_ports_gain(context).filter(|_| !poisoned),
        risk: Some(fix::MORE_PORTS_RISK.into()).filter(|_: &String| !poisoned),
    })
}

/// The finding from a survey of the sockets: the first half is full, or nearly.
pub(super) fn ahead(context: &DestinationContext<'_>, group: &Group) -> Option<Finding> {
    let half = group.range.halves().first;
    let left = group.held.to_cliff(group.range)?;
    let soon = group.seconds_to_cliff().filter(|seconds| *seconds <= SOON_S && left * 2 <= half);
    if half < CHEAP || (left * NEARLY > half && soon.is_none()) {
        return None;
    }
    let (name, half) = (group.range.first_parity(), grouped(half.into()));
    let headline = if left == 0 {
        format!("the {name} of the local ports towards {} is full: each connect() walks all {half} of it", context.to())
    } else {
        format!(
            "{} ports of the {name} are left towards {}{}; after that each connect() walks all {half} of it",
            grouped(left.into()),
            context.to(),
            fix::within(group.seconds_to_cliff())
        )
    };
    Some(Finding {
        code: Code::ParityCliff,
        severity: Severity::Warning,
        headline,
        evidence: room(context, group),
        fix: fix::more_ports(context),
        gain: fix::more_ports_gain(context),
        risk: Some(fix::MORE_PORTS_RISK.into()),
    })
}

/// Evidence of the room that is left, from a survey of the sockets.
pub(super) fn room(context: &DestinationContext<'_>, group: &Group) -> Vec<(&'static str, Evidence)> {
    let (taken, halves) = (group.held.taken(), group.range.halves());
    let number = |value: u32| Evidence::Number(value.into());
    let growth = group.growth.map(|growth| growth.per_second);
    vec![
        ("destination", Evidence::Text(context.to())),
        ("source", Evidence::Text(group.route.saddr.to_string())),
        ("netns", number(group.route.netns)),
        ("range", context.range_evidence()),
        ("first_half_taken", number(taken.first)),
        ("first_half_ports", number(halves.first)),
        ("second_half_taken", number(taken.second)),
        ("second_half_ports", number(halves.second)),
        ("taken_by", context.taken_by()),
        (
            "ports_per_minute",
            growth.map_or(Evidence::Unknown, |growth| Evidence::Text(format!("{:+.0}", growth * 60.0))),
        ),
        ("ports_to_cliff", Evidence::number(group.held.to_cliff(group.range).map(Into::into))),
        ("ports_to_exhaustion", number(group.held.to_exhaustion(group.range))),
        ("caller", context.caller()),
    ]
}
