// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of `states`: one for each process and peer.

use tcp_trace_common::tcp_state;

use crate::{
    aggregate::state::{StateRow, StateSnapshot, Traced},
    export::row::Row,
    findings::Evidence,
    inventory::socket::State,
};

/// At most `top`, busiest first.
pub(super) fn of(states: &StateSnapshot, top: usize) -> Vec<Row> {
    states.rows.iter().take(top).map(row).collect()
}

fn row(row: &StateRow) -> Row {
    let traced = |of: fn(&Traced) -> u64| Evidence::number(row.traced.as_ref().map(of));
    let state = |of: u8| row.traced.as_ref().map(|traced| *traced.state(of));
    let close_wait = state(tcp_state::CLOSE_WAIT);
    let fin_wait2 = state(tcp_state::FIN_WAIT2);
    let now = |of| Evidence::number(row.in_state(of));
    let mut fields = super::peer::fields(&row.peer, &row.who);
    fields.extend([
        ("established_now", now(State::Established)),
        ("close_wait_now", now(State::CloseWait)),
        ("close_wait_stuck", Evidence::number(row.now.map(|now| now.stuck))),
        ("close_wait_mean_age_ns", Evidence::number(close_wait.and_then(|state| state.inside_mean_ns))),
        ("close_wait_left", Evidence::number(close_wait.map(|state| state.left))),
        ("close_wait_mean_ns", Evidence::number(close_wait.and_then(|state| state.mean_ns))),
        ("close_wait_max_ns", Evidence::number(close_wait.and_then(|state| state.max_ns))),
        ("fin_wait1_now", now(State::FinWait1)),
        ("fin_wait2_now", now(State::FinWait2)),
        ("fin_wait2_orphaned", Evidence::number(row.now.map(|now| now.orphaned))),
        ("fin_wait2_mean_ns", Evidence::number(fin_wait2.and_then(|state| state.mean_ns))),
        ("last_ack_now", now(State::LastAck)),
        ("opened", traced(|traced| traced.opened)),
        ("closed", traced(|traced| traced.closed)),
        ("closed_first", traced(|traced| traced.closed_first)),
        ("peer_closed_first", traced(|traced| traced.peer_closed_first)),
        ("life_mean_ns", Evidence::number(row.traced.and_then(|traced| traced.life_mean_ns()))),
        ("life_max_ns", Evidence::number(state(tcp_state::ESTABLISHED).and_then(|state| state.max_ns))),
        ("bytes_received", traced(|traced| traced.bytes_received)),
        ("bytes_acked", traced(|traced| traced.bytes_acked)),
        ("linger_resets", traced(|traced| traced.linger_resets)),
        ("unread_resets", traced(|traced| traced.unread_resets)),
        ("peer_resets", traced(|traced| traced.peer_resets)),
        ("timed_out", traced(|traced| traced.timed_out)),
        ("lingering_closes", traced(|traced| traced.lingering)),
        ("lingering_ns", traced(|traced| traced.lingering_ns)),
        ("lingering_max_ns", traced(|traced| traced.lingering_max_ns)),
    ]);
    Row { kind: "states", fields }
}
