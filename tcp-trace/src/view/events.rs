// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line per event, in columns like those of bcc's tools.

use std::net::{IpAddr, SocketAddr};

use tcp_trace_common::tcp_state;

use super::format::{count, duration, fitted, share};
use crate::event::{Bind, Connect, Detail, DropCause, LeaveReason, ListenDrop, Passage, State, TimeWait};

/// Header line for [`connect`].
pub fn header() -> String {
    format!(
        "{:<8} {:>7} {:<15} {:<11} {:<21} {:<21} {:>8} {:>7} {:>3} {:>8} {:>8}\n",
        "time", "pid", "comm", "outcome", "local", "remote", "search", "visited", "2nd", "handshk", "total"
    )
}

/// The line of one attempt.
pub fn connect(connect: &Connect) -> String {
    let second = match connect.second_pass {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    };
    format!(
        "{:<8} {:>7} {:<15} {:<11} {:<21} {:<21} {:>8} {:>7} {:>3} {:>8} {:>8}\n",
        connect.time.strftime("%H:%M:%S"),
        connect.caller.pid,
        fitted(&connect.caller.comm, 15),
        connect.outcome.name(),
        end(connect.saddr, connect.sport),
        end(connect.daddr, Some(connect.dport)),
        duration(connect.port_search_ns),
        count(connect.ports_visited.map(u64::from)),
        second,
        duration(connect.handshake_ns),
        duration(connect.total_ns),
    )
}

/// The line of a minisocket that enters or leaves TIME_WAIT.
pub fn time_wait(event: &TimeWait) -> String {
    let what = match event.passage {
        Passage::Enter { fin_wait2: true } => "enter (FIN_WAIT2)",
        Passage::Enter { fin_wait2: false } => "enter",
        Passage::FinReceived => "FIN received",
        Passage::Leave(LeaveReason::Expired) => "expired",
        Passage::Leave(LeaveReason::Reused) => "reused by connect",
        Passage::Leave(LeaveReason::Syn) => "reused by SYN",
        Passage::Leave(LeaveReason::Reset) => "reset",
        Passage::Leave(LeaveReason::Other) => "left",
        Passage::Overflow => "overflow",
    };
    format!(
        "{:<8} {:>7} {:<15} TIME_WAIT {what}: {} {} after {}, level {}\n",
        event.time.strftime("%H:%M:%S"),
        count(event.owner_pid.map(u64::from)),
        fitted(event.owner_comm.as_deref().unwrap_or("?"), 15),
        end(event.saddr, Some(event.sport)),
        end(event.daddr, Some(event.dport)),
        duration(event.lived_ns),
        count(event.level.map(u64::from)),
    )
}

/// The line of a SYN or a handshake that a listener dropped.
pub fn listen_drop(event: &ListenDrop) -> String {
    let what = match event.cause {
        DropCause::AcceptQueue => "SYN dropped, accept queue full",
        DropCause::AcceptQueueAtAck => "handshake dropped at its last ACK, accept queue full",
        DropCause::SynQueue => "SYN dropped, SYN queue full, no cookies",
        DropCause::SynBacklog => "SYN dropped, last quarter of tcp_max_syn_backlog, no cookies",
        DropCause::Other => "SYN dropped",
    };
    format!(
        "{:<8} {} from {}: {what} (accept queue {}, SYN queue {}, limit {})\n",
        event.time.strftime("%H:%M:%S"),
        end(event.saddr, Some(event.sport)),
        event.client.map_or("?".into(), |client| client.to_string()),
        event.accept_queue,
        event.syn_queue,
        event.limit,
    )
}

/// The line of one `bind()`.
pub fn bind(bind: &Bind) -> String {
    let asked = bind.port_asked.map_or("any".to_owned(), |port| port.to_string());
    let outcome = match (bind.port, bind.errno) {
        (Some(port), _) => format!("got {port}"),
        (None, Some(libc::EADDRINUSE)) => "EADDRINUSE".to_owned(),
        (None, Some(errno)) => format!("errno {errno}"),
        (None, None) => "?".to_owned(),
    };
    format!(
        "{:<8} {:>7} {:<15} bind {} port {asked}: {outcome} after {}{}, from {}\n",
        bind.time.strftime("%H:%M:%S"),
        bind.caller.pid,
        fitted(&bind.caller.comm, 15),
        bind.saddr,
        duration(Some(bind.took_ns)),
        if bind.reuse_addr || bind.reuse_port { " (shared)" } else { "" },
        bind.call_site.as_deref().unwrap_or("?"),
    )
}

/// The line of one change of state.
pub fn state(event: &State) -> String {
    let name = |state| tcp_state::name(state).unwrap_or("?");
    format!(
        "{:<8} {:>7} {:<15} {} -> {} after {}{}: {} {}\n",
        event.time.strftime("%H:%M:%S"),
        count(event.pid.map(u64::from)),
        fitted(event.comm.as_deref().unwrap_or("?"), 15),
        name(event.from),
        name(event.to),
        duration(event.in_state_ns),
        event.end.map_or(String::new(), |end| format!(" ({})", end.name())),
        end(event.saddr, event.sport),
        end(event.daddr, Some(event.dport)),
    )
}

/// The line of a change of detail.
pub fn detail(change: &Detail) -> String {
    let compared = if change.after > change.before { "over" } else { "well within" };
    format!(
        "{:<8} detail: {} (was: {}), because programs {} and agent {} are {compared} the {} of the machine allowed\n",
        change.time.strftime("%H:%M:%S"),
        change.after.words(),
        change.before.words(),
        share(change.programs_share),
        share(Some(change.agent_share)),
        share(Some(change.budget)),
    )
}

fn end(address: IpAddr, port: Option<u16>) -> String {
    match port {
        Some(port) => SocketAddr::new(address, port).to_string(),
        None => format!("{address}:?"),
    }
}
