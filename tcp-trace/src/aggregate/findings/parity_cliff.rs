// SPDX-License-Identifier: MIT OR Apache-2.0
//! parity-cliff: the half of the range that is searched first is full towards one destination.

use super::{Code, Evidence, Finding, Scene, Severity, fix, grouped};

/// One such search may have met a burst; this many did not.
const ENOUGH: u64 = 3;
/// Walks of fewer candidates than this cost no more than the handshake itself.
const CHEAP: u64 = 200;

pub(super) fn find(scene: &Scene<'_>) -> Option<Finding> {
    let tally = scene.tally;
    if tally.second_pass < ENOUGH {
        return None;
    }
    let share = tally.second_pass as f64 / tally.second_pass_known as f64;
    let visited = tally.second_pass_visited.mean();
    let half = scene.ports().map(|ports| ports / 2);
    let walk = visited.or(half);
    let most_of_the_time = tally.second_pass_search_ns.sum * 2 > tally.search_ns.sum;
    let severity = match walk {
        Some(walk) if walk < CHEAP => Severity::Info,
        _ if share >= 0.25 || most_of_the_time => Severity::Critical,
        _ => Severity::Warning,
    };
    // The search begins with the parity of the low end.
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
    Some(Finding {
        code: Code::ParityCliff,
        severity,
        headline: format!("the {parity} of the local ports towards {} is full: connect() walks {walked}", scene.to()),
        evidence: vec![
            ("destination", Evidence::Text(scene.to())),
            ("netns", Evidence::Number(scene.destination.netns.into())),
            ("connects", Evidence::Number(tally.connects)),
            ("second_pass", Evidence::Number(tally.second_pass)),
            ("second_pass_share", Evidence::Share(share)),
            ("ports_visited_mean", Evidence::number(visited)),
            ("ports_visited_max", Evidence::number((tally.visited.known > 0).then_some(tally.visited.max))),
            ("port_search_mean_ns", Evidence::number(tally.second_pass_search_ns.mean())),
            ("port_search_first_pass_mean_ns", Evidence::number(tally.first_pass_search_ns.mean())),
            ("range", scene.range()),
            ("edge_at_connections", Evidence::number(half)),
            ("time_wait_level", Evidence::number(scene.time_wait_level())),
            ("caller", scene.caller()),
        ],
        fix: fix::more_ports(scene),
        gain: None,
        risk: None,
    })
}
