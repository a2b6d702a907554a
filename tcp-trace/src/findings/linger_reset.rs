// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `linger-reset`: SO_LINGER of 0 s turns each close() into a RST; any other value makes close() wait that many
//! seconds.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{
    aggregate::{
        observed::Observed,
        state::{StateRow, Traced},
    },
    model::peer::owner,
};

/// Fewer resets are a health check.
const ENOUGH: u64 = 5;
/// A close() that takes less than this goes unnoticed.
const UNNOTICED_NS: u64 = 1_000_000_000;

pub(super) fn find(observed: &Observed) -> Vec<Finding> {
    let rows = observed.states.rows.iter().filter_map(|row| Some((row, row.traced.as_ref()?)));
    rows.flat_map(|(row, traced)| {
        [resets(observed, row, traced), blocks(observed, row, traced)].into_iter().flatten().collect::<Vec<_>>()
    })
    .collect()
}

fn resets(observed: &Observed, row: &StateRow, traced: &Traced) -> Option<Finding> {
    if traced.linger_resets < ENOUGH {
        return None;
    }
    let who = owner(&row.peer, &row.who);
    let often = traced.linger_resets * 2 >= traced.closed;
    Some(Finding {
        code: Code::LingerReset,
        severity: if often { Severity::Warning } else { Severity::Info },
        headline: format!(
            "{who} ends {} of {} connections {} with a RST, because it closes them with SO_LINGER 0",
            grouped(traced.linger_resets),
            grouped(traced.closed),
            row.peer,
        ),
        evidence: evidence(observed, row, traced),
        fix: vec![
            "# in the application: do not set SO_LINGER; close() then sends a FIN, and the kernel delivers what is \
             still in flight"
                .into(),
            "# if the goal is to avoid TIME_WAIT: keep connections open, or let the peer close first".into(),
        ],
        gain: Some("the peer sees an orderly end instead of ECONNRESET, and no data is lost".into()),
        risk: Some(
            "each close with a FIN leaves a TIME_WAIT here for 60 s: check the head-room (tcp-trace time-wait)".into(),
        ),
    })
}

fn blocks(observed: &Observed, row: &StateRow, traced: &Traced) -> Option<Finding> {
    if traced.lingering == 0 || traced.lingering_max_ns < UNNOTICED_NS {
        return None;
    }
    let who = owner(&row.peer, &row.who);
    Some(Finding {
        code: Code::LingerReset,
        severity: Severity::Warning,
        headline: format!(
            "close() of {who} {} waited up to {:.1} s: its SO_LINGER is in seconds",
            row.peer,
            traced.lingering_max_ns as f64 / 1e9,
        ),
        evidence: evidence(observed, row, traced),
        fix: vec![
            "# in the application: do not set SO_LINGER, then close() returns at once; l_linger is in seconds, not \
             milliseconds"
                .into(),
            "# to make sure the peer read everything: shutdown(SHUT_WR), then read() until it returns 0".into(),
        ],
        gain: Some(format!(
            "saves {:.1} s that threads spent in {} calls of close()",
            traced.lingering_ns as f64 / 1e9,
            grouped(traced.lingering)
        )),
        risk: None,
    })
}

fn evidence(observed: &Observed, row: &StateRow, traced: &Traced) -> Vec<(&'static str, Evidence)> {
    vec![
        ("owner", Evidence::Text(owner(&row.peer, &row.who))),
        ("peer", Evidence::Text(row.peer.to_string())),
        ("netns", Evidence::Text(observed.netns_label(row.peer.netns))),
        ("closed", Evidence::Number(traced.closed)),
        ("linger_resets", Evidence::Number(traced.linger_resets)),
        ("unread_resets", Evidence::Number(traced.unread_resets)),
        ("lingering_closes", Evidence::Number(traced.lingering)),
        ("lingering_ns", Evidence::Number(traced.lingering_ns)),
        ("lingering_max_ns", Evidence::number((traced.lingering > 0).then_some(traced.lingering_max_ns))),
    ]
}
