// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of `listen`: one for each listener, one for each that kept handshakes of this machine waiting.

use crate::{
    aggregate::{
        listen::{ListenCounts, Listener, SlowHandshakes},
        observed::Observed,
    },
    export::row::Row,
    findings::Evidence,
};

pub(super) fn rows(observed: &Observed, top: usize) -> Vec<Row> {
    let listeners = observed.listen.listeners.iter().take(top).map(|listener| of_listener(observed, listener));
    listeners.chain(observed.listen.slow.iter().take(top).map(of_slow)).collect()
}

fn of_listener(observed: &Observed, listener: &Listener) -> Row {
    let (endpoint, now) = (listener.endpoint, listener.now);
    let sysctls = observed.spaces.get(&endpoint.netns).map(|space| space.sysctls.clone()).unwrap_or_default();
    let count = |of: fn(&ListenCounts) -> u64| Evidence::number(listener.counts.as_ref().map(of));
    let known = Evidence::number;
    let fields = vec![
        ("netns", Evidence::Number(endpoint.netns.into())),
        ("family", text(if endpoint.saddr.is_ipv4() { "ipv4" } else { "ipv6" })),
        ("saddr", text(&endpoint.saddr.to_string())),
        ("sport", Evidence::Number(endpoint.sport.into())),
        ("owner_pid", known(listener.owner.map(|owner| owner.pid.into()))),
        ("owner_comm", listener.owner.map_or(Evidence::Unknown, |owner| text(&owner.comm))),
        ("sockets", known(now.map(|now| now.members))),
        ("lookup_chain", known(now.map(|now| now.chain))),
        ("accept_queue", known(now.map(|now| now.accept_queue))),
        ("accept_queue_fullest", known(now.map(|now| now.fullest))),
        ("accept_queue_high", known(listener.accept_high)),
        ("syn_queue", known(now.map(|now| now.syn_queue))),
        ("syn_queue_high", known(listener.syn_high)),
        ("limit", known(now.map(|now| now.limit))),
        ("backlog_requested", known(listener.asked)),
        ("somaxconn", known(sysctls.somaxconn.map(u64::from))),
        ("tcp_max_syn_backlog", known(sysctls.tcp_max_syn_backlog.map(u64::from))),
        ("tcp_syncookies", known(sysctls.tcp_syncookies.map(u64::from))),
        ("tcp_abort_on_overflow", known(sysctls.tcp_abort_on_overflow.map(u64::from))),
        ("syns", count(|counts| counts.syns)),
        ("dropped_accept_queue", count(|counts| counts.drops[0])),
        ("dropped_accept_queue_at_ack", count(|counts| counts.drops[1])),
        ("dropped_syn_queue", count(|counts| counts.drops[2])),
        ("dropped_syn_backlog", count(|counts| counts.drops[3])),
        ("dropped_other", count(|counts| counts.drops[4])),
        ("cookies", count(|counts| counts.cookies)),
        ("queued", count(|counts| counts.queued)),
        ("accepted", known(listener.counts.and_then(|counts| counts.accepted()))),
        ("busiest_socket_share", listener.skew.map_or(Evidence::Unknown, Evidence::Share)),
        ("lookups", known(listener.counts.map(|counts| counts.lookups).filter(|lookups| *lookups > 0))),
        ("lookup_mean_ns", known(listener.counts.and_then(|counts| counts.lookup_mean_ns()))),
    ];
    Row { kind: "listener", fields }
}

fn of_slow(slow: &SlowHandshakes) -> Row {
    let fields = vec![
        ("netns", Evidence::Number(slow.listener.netns.into())),
        ("saddr", text(&slow.listener.saddr.to_string())),
        ("sport", Evidence::Number(slow.listener.sport.into())),
        ("cause", text(slow.cause.name())),
        ("caller_pid", Evidence::Number(slow.caller.pid.into())),
        ("caller_comm", text(&slow.caller.comm)),
        ("connects", Evidence::Number(slow.connects)),
        ("syn_retransmits", Evidence::Number(slow.retransmits)),
        ("handshake_max_ns", Evidence::number(slow.max_ns)),
    ];
    Row { kind: "slow_handshakes", fields }
}

fn text(text: &str) -> Evidence {
    Evidence::Text(text.to_owned())
}
