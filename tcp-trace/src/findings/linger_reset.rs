// SPDX-License-Identifier: MIT OR Apache-2.0
//! linger-reset: what SO_LINGER does to whoever sets it. 0 s makes a RST of each close(); anything else makes close()
//! wait, in seconds.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{
    aggregate::{
        observed::Observed,
        state::{StateRow, Traced},
    },
    model::peer::owner,
};

/// Fewer are a health check.
const ENOUGH: u64 = 5;
/// As long as a close() may take that nobody notices.
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
            "{who} ends {} of {} connections {} with a RST: it closes them with an SO_LINGER of 0 s",
            grouped(traced.linger_resets),
            grouped(traced.closed),
            row.peer,
        ),
        evidence: evidence(observed, row, traced),
        fix: vec![
            "# in the application: leave SO_LINGER alone; close() then sends a FIN, and the kernel delivers what is \
             still under way"
                .into(),
            "# if it is meant to save TIME_WAIT: keep connections open instead, or let the peer close first".into(),
        ],
        gain: Some("the peer sees an end instead of ECONNRESET, and no data is thrown away".into()),
        risk: Some(
            "each close by a FIN leaves a TIME_WAIT for 60 s here: mind the head-room (tcp-trace time-wait)".into(),
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
            "close() of {who} {} waited up to {:.1} s: its SO_LINGER counts in seconds",
            row.peer,
            traced.lingering_max_ns as f64 / 1e9,
        ),
        evidence: evidence(observed, row, traced),
        fix: vec![
            "# in the application: leave SO_LINGER alone, close() then returns at once; l_linger is in seconds, not \
             milliseconds"
                .into(),
            "# to know that all was read: shutdown(SHUT_WR), then read() until it gives 0".into(),
        ],
        gain: Some(format!(
            "{:.1} s that threads spent in {} calls of close()",
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
