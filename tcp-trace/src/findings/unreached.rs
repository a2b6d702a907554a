// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings `connect-refused` and `connect-unanswered`: the ports are fine, the destination is not. They keep an
//! operator who reads "cannot connect" from looking for missing ports.

use super::{Code, DestinationContext, Evidence, Finding, Severity, grouped};

/// A service that restarts refuses fewer connects than this.
const REFUSED: u64 = 10;
/// Each unanswered connect took seconds, so a few are enough.
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
            "{to} refused {} of {} connects: no process listens there, or a device on the path answers with a reset",
            grouped(tally.refused),
            grouped(tally.connects)
        ),
        evidence: evidence(context, "refused", tally.refused),
        fix: vec![
            format!("# on the machine with address {}: is there a listener?", context.destination.daddr),
            format!("ss -ltn 'sport = :{}'", context.destination.dport),
            "# if there is one: look for a firewall rule that rejects (tcp-reset), a proxy, or a block list with this client"
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
            "# find out how far the SYNs get: on this machine, on the path, on the other side".into(),
            format!(
                "tcpdump -ni any -c 20 'tcp[tcpflags] & tcp-syn != 0 and host {} and port {}'",
                context.destination.daddr, context.destination.dport
            ),
            "# if they arrive: the server's queues drop them (tcp-trace listen on that machine), or its firewall does"
                .into(),
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
