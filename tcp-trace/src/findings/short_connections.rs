// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `short-connections`: a process opens many connections per second that each live for less than a second.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{
    aggregate::{observed::Observed, state::StateRow},
    event::Side,
    model::peer::owner,
};

/// Fewer connections per second are not noticeable.
const ENOUGH: u64 = 30;
const PER_SECOND: f64 = 10.0;
/// From this rate on, making connections is a substantial part of the work.
const MANY_PER_SECOND: f64 = 1_000.0;
const SHORT_NS: u64 = 1_000_000_000;

pub(super) fn find(observed: &Observed) -> Vec<Finding> {
    observed.states.rows.iter().filter_map(|row| of_row(observed, row)).collect()
}

fn of_row(observed: &Observed, row: &StateRow) -> Option<Finding> {
    let traced = row.traced.filter(|_| row.peer.side == Side::Opened)?;
    let life_ns = traced.life_mean_ns()?;
    let per_second = traced.opened as f64 / observed.seconds;
    if traced.opened < ENOUGH || !per_second.is_finite() || per_second < PER_SECOND || life_ns >= SHORT_NS {
        return None;
    }
    let who = owner(&row.peer, &row.who);
    // Little's law: the number of connections open at a time.
    let at_a_time = (per_second * life_ns as f64 / 1e9).ceil().max(1.0);
    let bytes = (traced.bytes_received + traced.bytes_acked).checked_div(traced.closed);
    Some(Finding {
        code: Code::ShortConnections,
        severity: if per_second >= MANY_PER_SECOND { Severity::Warning } else { Severity::Info },
        headline: format!(
            "{who} opens {per_second:.0} connections a second {}, which live {:.1} ms",
            row.peer,
            life_ns as f64 / 1e6
        ),
        evidence: vec![
            ("owner", Evidence::Text(who)),
            ("peer", Evidence::Text(row.peer.to_string())),
            ("netns", Evidence::Text(observed.netns_label(row.peer.netns))),
            ("opened", Evidence::Number(traced.opened)),
            ("life_mean_ns", Evidence::Number(life_ns)),
            ("bytes_per_connection", Evidence::number(bytes)),
            ("closed_first", Evidence::Number(traced.closed_first)),
            ("open_at_a_time", Evidence::Number(at_a_time as u64)),
        ],
        fix: vec![
            "# in the application: keep connections open between requests: HTTP keep-alive, a pool, upstream keepalive \
             of the proxy"
                .into(),
            "# on the same machine: use a UNIX socket, which needs no ports and has no TIME_WAIT".into(),
        ],
        gain: Some(format!(
            "a pool of about {} would save {per_second:.0} handshakes and port searches a second{}",
            grouped(at_a_time as u64),
            if traced.closed_first > 0 {
                format!(
                    ", and {} TIME_WAITs a minute",
                    grouped((60.0 * traced.closed_first as f64 / observed.seconds) as u64)
                )
            } else {
                String::new()
            }
        )),
        risk: None,
    })
}
