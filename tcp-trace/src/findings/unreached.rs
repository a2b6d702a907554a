// SPDX-License-Identifier: MIT OR Apache-2.0
//! connect-refused and connect-unanswered: the ports are fine, the other side is not. Without them an operator who reads
//! "cannot connect" looks for ports that are not missing.

use super::{Code, Evidence, Finding, Scene, Severity, grouped};

/// A service that restarts refuses a few.
const REFUSED: u64 = 10;
/// Each of these took seconds.
const UNANSWERED: u64 = 3;

pub(super) fn refused(scene: &Scene<'_>) -> Option<Finding> {
    let tally = scene.tally;
    if tally.refused < REFUSED || tally.refused * 2 < tally.connects {
        return None;
    }
    let to = scene.to();
    Some(Finding {
        code: Code::ConnectRefused,
        severity: Severity::Warning,
        headline: format!(
            "{to} refused {} of {} connects: nobody listens there, or something on the way answers with a reset",
            grouped(tally.refused),
            grouped(tally.connects)
        ),
        evidence: evidence(scene, "refused", tally.refused),
        fix: vec![
            format!("# on the machine that has {}: is there a listener?", scene.destination.daddr),
            format!("ss -ltn 'sport = :{}'", scene.destination.dport),
            "# there is one: look for a rule that rejects (tcp-reset), a proxy, or a black list with this client"
                .into(),
        ],
        gain: None,
        risk: None,
    })
}

pub(super) fn unanswered(scene: &Scene<'_>) -> Option<Finding> {
    let tally = scene.tally;
    if tally.unanswered < UNANSWERED || tally.unanswered * 4 < tally.connects {
        return None;
    }
    let to = scene.to();
    Some(Finding {
        code: Code::ConnectUnanswered,
        severity: Severity::Warning,
        headline: format!(
            "{to} answered none of the SYNs of {} of {} connects",
            grouped(tally.unanswered),
            grouped(tally.connects)
        ),
        evidence: evidence(scene, "unanswered", tally.unanswered),
        fix: vec![
            "# see where the SYNs get to: on this machine, on the way, on the other side".into(),
            format!(
                "tcpdump -ni any -c 20 'tcp[tcpflags] & tcp-syn != 0 and host {} and port {}'",
                scene.destination.daddr, scene.destination.dport
            ),
            "# they arrive there: its queues drop them (tcp-trace listen on that machine), or its firewall does".into(),
        ],
        gain: None,
        risk: None,
    })
}

fn evidence(scene: &Scene<'_>, what: &'static str, count: u64) -> Vec<(&'static str, Evidence)> {
    let tally = scene.tally;
    vec![
        ("destination", Evidence::Text(scene.to())),
        ("netns", Evidence::Number(scene.destination.netns.into())),
        ("connects", Evidence::Number(tally.connects)),
        (what, Evidence::Number(count)),
        ("share", Evidence::Share(count as f64 / tally.connects as f64)),
        ("no_port", Evidence::Number(tally.no_port)),
        ("caller", scene.caller()),
    ]
}
