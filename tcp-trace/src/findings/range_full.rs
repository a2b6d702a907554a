// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `range-full`: no local port is left towards one destination, and connect() fails with EADDRNOTAVAIL.

use super::{Code, DestinationContext, Evidence, Finding, Severity, fix, grouped, parity_cliff};
use crate::aggregate::ports::Group;

/// The range is nearly full once fewer than one port in this many is free.
const NEARLY: u32 = 20;

pub(super) fn find(context: &DestinationContext<'_>) -> Option<Finding> {
    let tally = context.tally;
    if tally.exhausted == 0 {
        return None;
    }
    let ports = match context.ports() {
        Some(ports) => format!("all {} local ports", grouped(ports)),
        None => "all local ports".to_owned(),
    };
    Some(Finding {
        code: Code::RangeFull,
        severity: Severity::Critical,
        headline: format!(
            "{ports} towards {} are taken: {} connect{} failed with EADDRNOTAVAIL",
            context.to(),
            grouped(tally.exhausted),
            if tally.exhausted == 1 { "" } else { "s" }
        ),
        evidence: vec![
            ("destination", Evidence::Text(context.to())),
            ("netns", Evidence::Number(context.destination.netns.into())),
            ("connects", Evidence::Number(tally.connects)),
            ("no_port", Evidence::Number(tally.exhausted)),
            ("no_port_share", Evidence::Share(tally.exhausted as f64 / tally.connects as f64)),
            ("ports_visited_max", Evidence::number((tally.visited.known > 0).then_some(tally.visited.max))),
            ("port_search_max_ns", Evidence::number((tally.search_ns.known > 0).then_some(tally.search_ns.max))),
            ("range", context.range_evidence()),
            ("taken_by", context.taken_by()),
            ("time_wait_level", Evidence::number(context.time_wait_level())),
            ("caller", context.caller()),
        ],
        fix: fix::more_ports(context),
        gain: fix::more_ports_gain(context),
        risk: Some(fix::MORE_PORTS_RISK.into()),
    })
}

/// The finding from a survey of the sockets: no or few ports are left.
pub(super) fn ahead(context: &DestinationContext<'_>, group: &Group) -> Option<Finding> {
    let ports = group.range.ports();
    let left = group.held.to_exhaustion(group.range);
    if ports < parity_cliff::CHEAP || left * NEARLY > ports {
        return None;
    }
    let headline = if left == 0 {
        format!(
            "all {} local ports towards {} are taken: the next connect() fails",
            grouped(ports.into()),
            context.to()
        )
    } else {
        format!(
            "{} of {} local ports are left towards {}{}",
            grouped(left.into()),
            grouped(ports.into()),
            context.to(),
            fix::within(group.seconds_to_exhaustion())
        )
    };
    Some(Finding {
        code: Code::RangeFull,
        severity: if left == 0 { Severity::Critical } else { Severity::Warning },
        headline,
        evidence: parity_cliff::room(context, group),
        fix: fix::more_ports(context),
        gain: fix::more_ports_gain(context),
        risk: Some(fix::MORE_PORTS_RISK.into()),
    })
}
