// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of `states`: duration of states, owners that open and end connections, and connections that wait for an
//! end.

use std::fmt::Write;

use tcp_trace_common::tcp_state;

use super::{
    format::{count, duration, fitted, rate},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::state::{StateRow, StateSnapshot},
    inventory::socket::State,
    model::peer::owner,
};

/// Writes all tables.
pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, states: &StateSnapshot, seconds: f64) {
    lasting(out, theme, states, seconds);
    connections(out, theme, layout, states, seconds);
    waiting(out, theme, layout, states);
}

/// Writes every state, summed over all rows.
fn lasting(out: &mut String, theme: Theme, states: &StateSnapshot, seconds: f64) {
    let head = format!("{:<14}{:>12}{:>13}{:>13}{:>13}", "state", "now", "left/s", "mean", "longest");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for state in [
        State::SynSent,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::Closing,
        State::CloseWait,
        State::LastAck,
    ] {
        let of_all = states.of_all(state);
        let name = tcp_state::name(crate::aggregate::state::number(state)).unwrap_or("?");
        let _ = writeln!(
            out,
            "{:<14}{:>12}{:>13}{:>13}{:>13}",
            name.to_ascii_uppercase(),
            count(of_all.now),
            rate(of_all.left, seconds),
            duration(of_all.mean_ns),
            duration(of_all.max_ns),
        );
    }
    let _ = writeln!(out, "orphans {} (sockets that no process holds, machine-wide)", count(states.orphans));
}

fn connections(out: &mut String, theme: Theme, layout: Layout, states: &StateSnapshot, seconds: f64) {
    let busy: Vec<_> = states.rows.iter().filter(|row| row.traced.is_some()).take(layout.top).collect();
    if busy.is_empty() {
        return;
    }
    let head =
        format!("{:<20} {:<24}{:>8}{:>9}{:>9}{:>9}", "connections of", "with", "now", "opened/s", "lived", "resets/s");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for row in busy {
        let Some(traced) = &row.traced else { continue };
        let resets = traced.linger_resets + traced.unread_resets;
        let _ = writeln!(
            out,
            "{:<20} {:<24}{:>8}{:>9}{:>9}{:>9}",
            name(row),
            fitted(&row.peer.to_string(), 24),
            count(row.in_state(State::Established)),
            rate(Some(traced.opened), seconds),
            duration(traced.life_mean_ns()),
            rate(Some(resets), seconds),
        );
    }
}

/// Writes connections that are not closed, and close() calls that block.
fn waiting(out: &mut String, theme: Theme, layout: Layout, states: &StateSnapshot) {
    let some = |row: &&StateRow| {
        let waits = |state| row.in_state(state).is_some_and(|now| now > 0);
        waits(State::CloseWait) || waits(State::FinWait2) || row.traced.is_some_and(|traced| traced.lingering > 0)
    };
    let rows: Vec<_> = states.rows.iter().filter(some).take(layout.top).collect();
    if rows.is_empty() {
        return;
    }
    let head = format!(
        "{:<20} {:<24}{:>11}{:>6}{:>10}{:>8}",
        "not closed by", "with", "CLOSE_WAIT", "stuck", "FIN_WAIT2", "close()"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for row in rows {
        let blocked = row.traced.filter(|traced| traced.lingering > 0).map(|traced| traced.lingering_max_ns);
        let _ = writeln!(
            out,
            "{:<20} {:<24}{:>11}{:>6}{:>10}{:>8}",
            name(row),
            fitted(&row.peer.to_string(), 24),
            count(row.in_state(State::CloseWait)),
            count(row.now.map(|now| now.stuck)),
            count(row.in_state(State::FinWait2)),
            blocked.map_or("-".to_owned(), |ns| duration(Some(ns))),
        );
    }
}

fn name(row: &StateRow) -> String {
    fitted(&owner(&row.peer, &row.who), 20)
}
