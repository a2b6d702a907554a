// SPDX-License-Identifier: MIT OR Apache-2.0
//! range-full: no local port is left towards one destination, and connect() fails with EADDRNOTAVAIL.

use super::{Code, Evidence, Finding, Scene, Severity, fix, grouped};

pub(super) fn find(scene: &Scene<'_>) -> Option<Finding> {
    let tally = scene.tally;
    if tally.exhausted == 0 {
        return None;
    }
    let ports = match scene.ports() {
        Some(ports) => format!("all {} local ports", grouped(ports)),
        None => "all local ports".to_owned(),
    };
    Some(Finding {
        code: Code::RangeFull,
        severity: Severity::Critical,
        headline: format!(
            "{ports} towards {} are taken: {} connect{} failed with EADDRNOTAVAIL",
            scene.to(),
            grouped(tally.exhausted),
            if tally.exhausted == 1 { "" } else { "s" }
        ),
        evidence: vec![
            ("destination", Evidence::Text(scene.to())),
            ("netns", Evidence::Number(scene.destination.netns.into())),
            ("connects", Evidence::Number(tally.connects)),
            ("no_port", Evidence::Number(tally.exhausted)),
            ("no_port_share", Evidence::Share(tally.exhausted as f64 / tally.connects as f64)),
            ("ports_visited_max", Evidence::number((tally.visited.known > 0).then_some(tally.visited.max))),
            ("port_search_max_ns", Evidence::number((tally.search_ns.known > 0).then_some(tally.search_ns.max))),
            ("range", scene.range()),
            ("time_wait_level", Evidence::number(scene.time_wait_level())),
            ("caller", scene.caller()),
        ],
        fix: fix::more_ports(scene),
        gain: None,
        risk: None,
    })
}
