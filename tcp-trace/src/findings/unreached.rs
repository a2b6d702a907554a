// SPDX-License-Identifier: MIT OR Apache-2.0
//! connect-refused and connect-unanswered: the ports are fine, the other side is not. Without them an operator who reads
//! "cannot connect" looks for ports that are not missing.

use super::{Code, DestinationContext, Evidence, Finding, Severity, grouped};

/// A service that restarts refuses a few.
const REFUSED: u64 = 10;
/// Each of these took seconds.
const UNANSWERED: u64 = 3;

pub(super) fn refused(context: &DestinationContext<'_>) -> Option<Finding> {
    let tally = context.tally;
    if tally.refused < REFUSED || tally.refused * 2 < tally.connects {
        return None;
    }
    let to = context.to();
    Some(Finding {
        code: Code::ConnectRefused,
        severity: Severity::Warning,
        headline: format!(
            "{to} refused {} of {} connects: nobody listens there, or something on the way answers with a reset",
            grouped(tally.refused),
            grouped(tally.connects)
        ),
        evidence: evidence(context, "refused", tally.refused),
        fix: vec![
            format!("# on the machine that has {}: is there a listener?", context.destination.daddr),
            format!("ss -ltn 'sport = :{}'", context.destination.dport),
            "# there is one: look for a rule that rejects (tcp-reset), a proxy, or a black list with this client"
                .into(),
        ],
        gain: None,
        risk: None,
    })
}

pub(super) fn unanswered(context: &DestinationContext<'_>) -> Option<Finding> {
    let tally = context.tally;
    if tally.unanswered < UNANSWERED || tally.unanswered * 4 < tally.connects {
        return None;
    }
    let to = context.to();
    Some(Finding {
        code: Code::ConnectUnanswered,
        severity: Severity::Warning,
        headline: format!(
            "{to} answered none of the SYNs of {} of {} connects",
            grouped(tally.unanswered),
            grouped(tally.connects)
        ),
        evidence: evidence(context, "unanswered", tally.unanswered),
        fix: vec![
            "# see where the SYNs get to: on this machine, on the way, on the other side".into(),
            format!(
                "tcpdump -ni any -c 20 'tcp[tcpflags] & tcp-syn != 0 and host {} and port {}'",
                context.destination.daddr, context.destination.dport
            ),
            "# they arrive there: its queues drop them (tcp-trace listen on that machine), or its firewall does".into(),
        ],
        gain: None,
        risk: None,
    })
}

fn evidence(context: &DestinationContext<'_>, what: &'static str, count: u64) -> Vec<(&'static str, Evidence)> {
    let tally = context.tally;
    vec![
        ("destination", Evidence::Text(context.to())),
        ("netns", Evidence::Number(context.destination.netns.into())),
        ("connects", Evidence::Number(tally.connects)),
        (what, Evidence::Number(count)),
        ("share", Evidence::Share(count as f64 / tally.connects as f64)),
        ("no_port", Evidence::Number(tally.no_port)),
        ("caller", context.caller()),
    ]
}
