// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines that come by the event: put down field by field, in the contract's order.

use std::net::IpAddr;

use jiff::Timestamp;
use tcp_trace_common::tcp_state;

use super::{
    calendar::Calendar,
    json::{VERSION, chosen, family},
    put,
};
use crate::event::{Bind, Cgroup, Comm, Connect, LeaveReason, ListenDrop, Passage, State, TimeWait};

/// One attempt.
pub(super) fn connect(out: &mut Vec<u8>, calendar: &mut Calendar, connect: &Connect) {
    let candidates = connect.candidates;
    let mut line = Line::begin(out, "connect");
    line.time(calendar, connect.time);
    line.put(",\"pid\":", connect.caller.pid);
    line.put(",\"tid\":", connect.caller.tid);
    line.put(",\"comm\":", &connect.caller.comm);
    line.put(",\"uid\":", connect.caller.uid);
    line.put(",\"cgroup\":", connect.caller.cgroup.as_ref());
    line.put(",\"netns\":", connect.netns);
    line.put(",\"family\":", Word(family(connect.daddr)));
    line.put(",\"saddr\":", chosen(connect.saddr));
    line.put(",\"sport\":", connect.sport);
    line.put(",\"daddr\":", connect.daddr);
    line.put(",\"dport\":", connect.dport);
    line.put(",\"outcome\":", Word(connect.outcome.name()));
    line.put(",\"errno\":", connect.errno);
    line.put(",\"source_port\":", connect.source_port.map(|port| Word(port.name())));
    line.put(",\"port_search_ns\":", connect.port_search_ns);
    line.put(",\"ports_visited\":", connect.ports_visited);
    line.put(",\"second_pass\":", connect.second_pass);
    line.put(",\"range_low\":", connect.range.map(|(low, _)| low));
    line.put(",\"range_high\":", connect.range.map(|(_, high)| high));
    line.put(",\"handshake_ns\":", connect.handshake_ns);
    line.put(",\"syn_retransmits\":", connect.syn_retransmits);
    line.put(",\"total_ns\":", connect.total_ns);
    line.put(",\"candidates_in_use\":", candidates.map(|candidates| candidates.in_use));
    line.put(",\"candidates_time_wait\":", candidates.map(|candidates| candidates.time_wait));
    line.put(",\"candidates_time_wait_reused\":", candidates.map(|candidates| candidates.time_wait_reused));
    line.put(",\"candidates_skipped\":", candidates.and_then(|candidates| candidates.skipped));
    line.put(",\"mptcp\":", connect.mptcp);
    line.end();
}

/// One passage into or out of TIME_WAIT.
pub(super) fn time_wait(out: &mut Vec<u8>, calendar: &mut Calendar, time_wait: &TimeWait) {
    // Taken over by a connect() has a name of its own; the peer's FIN only ends the substate.
    let (event, reason, substate) = match time_wait.passage {
        Passage::Enter { fin_wait2: true } => ("enter", None, Some("fin_wait2")),
        Passage::Enter { fin_wait2: false } => ("enter", None, Some("time_wait")),
        Passage::FinReceived => ("fin_received", None, Some("time_wait")),
        Passage::Leave(LeaveReason::Reused) => ("reuse", None, None),
        Passage::Leave(LeaveReason::Expired) => ("leave", Some("expired"), None),
        Passage::Leave(LeaveReason::Syn) => ("leave", Some("syn"), None),
        Passage::Leave(LeaveReason::Reset) => ("leave", Some("reset"), None),
        Passage::Leave(LeaveReason::Other) => ("leave", Some("other"), None),
        Passage::Overflow => ("overflow", None, None),
    };
    let mut line = Line::begin(out, "time_wait");
    line.time(calendar, time_wait.time);
    line.put(",\"event\":", Word(event));
    line.put(",\"reason\":", reason.map(Word));
    line.put(",\"substate\":", substate.map(Word));
    line.put(",\"netns\":", time_wait.netns);
    line.put(",\"family\":", Word(family(time_wait.daddr)));
    line.put(",\"saddr\":", time_wait.saddr);
    line.put(",\"sport\":", time_wait.sport);
    line.put(",\"daddr\":", time_wait.daddr);
    line.put(",\"dport\":", time_wait.dport);
    line.put(",\"owner_pid\":", time_wait.owner_pid);
    line.put(",\"owner_comm\":", time_wait.owner_comm.as_ref());
    line.put(",\"lived_ns\":", time_wait.lived_ns);
    line.put(",\"level\":", time_wait.level);
    line.end();
}

/// A SYN or a handshake that a listener dropped. As ever the listener's end is the source, the client the destination.
pub(super) fn listen_drop(out: &mut Vec<u8>, calendar: &mut Calendar, dropped: &ListenDrop) {
    let client = dropped.client;
    let mut line = Line::begin(out, "listen_drop");
    line.time(calendar, dropped.time);
    line.put(",\"cause\":", Word(dropped.cause.name()));
    line.put(",\"netns\":", dropped.netns);
    line.put(",\"family\":", client.map(|client| Word(family(client.ip()))));
    line.put(",\"saddr\":", dropped.saddr);
    line.put(",\"sport\":", dropped.sport);
    line.put(",\"daddr\":", client.map(|client| client.ip()));
    line.put(",\"dport\":", client.map(|client| client.port()));
    line.put(",\"accept_queue\":", dropped.accept_queue);
    line.put(",\"syn_queue\":", dropped.syn_queue);
    line.put(",\"limit\":", dropped.limit);
    line.end();
}

/// One `bind()`.
pub(super) fn bind(out: &mut Vec<u8>, calendar: &mut Calendar, bind: &Bind) {
    let mut line = Line::begin(out, "bind");
    line.time(calendar, bind.time);
    line.put(",\"pid\":", bind.caller.pid);
    line.put(",\"tid\":", bind.caller.tid);
    line.put(",\"comm\":", &bind.caller.comm);
    line.put(",\"uid\":", bind.caller.uid);
    line.put(",\"cgroup\":", bind.caller.cgroup.as_ref());
    line.put(",\"netns\":", bind.netns);
    line.put(",\"family\":", Word(family(bind.saddr)));
    line.put(",\"saddr\":", bind.saddr);
    line.put(",\"port_asked\":", bind.port_asked);
    line.put(",\"port\":", bind.port);
    line.put(",\"errno\":", bind.errno);
    line.put(",\"took_ns\":", bind.took_ns);
    line.put(",\"reuse_addr\":", Some(bind.reuse_addr));
    line.put(",\"reuse_port\":", Some(bind.reuse_port));
    line.put(",\"range_low\":", bind.range.map(|(low, _)| low));
    line.put(",\"range_high\":", bind.range.map(|(_, high)| high));
    line.put(",\"call_site\":", bind.call_site.as_deref());
    line.end();
}

/// One change of state.
pub(super) fn state(out: &mut Vec<u8>, calendar: &mut Calendar, state: &State) {
    let mut line = Line::begin(out, "state");
    line.time(calendar, state.time);
    line.put(",\"pid\":", state.pid);
    line.put(",\"comm\":", state.comm.as_ref());
    line.put(",\"cgroup\":", state.cgroup.as_ref());
    line.put(",\"netns\":", state.netns);
    line.put(",\"side\":", Word(state.side.name()));
    line.put(",\"family\":", Word(family(state.daddr)));
    line.put(",\"saddr\":", chosen(state.saddr));
    line.put(",\"sport\":", state.sport);
    line.put(",\"daddr\":", state.daddr);
    line.put(",\"dport\":", state.dport);
    line.put(",\"from\":", tcp_state::name(state.from).map(Word));
    line.put(",\"to\":", tcp_state::name(state.to).map(Word));
    line.put(",\"in_state_ns\":", state.in_state_ns);
    line.put(",\"end\":", state.end.map(|end| Word(end.name())));
    line.end();
}

/// An object on its way. Names come as they are written, the comma before and the colon behind them included.
struct Line<'a>(&'a mut Vec<u8>);

impl<'a> Line<'a> {
    fn begin(out: &'a mut Vec<u8>, kind: &'static str) -> Self {
        out.extend_from_slice(b"{\"v\":");
        VERSION.put(out);
        out.extend_from_slice(b",\"type\":");
        Word(kind).put(out);
        Self(out)
    }

    #[inline]
    fn put(&mut self, name: &'static str, value: impl Value) {
        self.0.extend_from_slice(name.as_bytes());
        value.put(self.0);
    }

    fn time(&mut self, calendar: &mut Calendar, time: Timestamp) {
        self.0.extend_from_slice(b",\"time\":\"");
        calendar.put(self.0, time);
        self.0.push(b'"');
    }

    fn end(self) {
        self.0.extend_from_slice(b"}\n");
    }
}

trait Value {
    fn put(self, out: &mut Vec<u8>);
}

/// A word of ours: nothing in it has to be escaped.
struct Word(&'static str);

impl Value for Word {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        quote(out, self.0.as_bytes());
    }
}

impl<V: Value> Value for Option<V> {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Value for bool {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Value for u64 {
    fn put(self, out: &mut Vec<u8>) {
        put::number(out, self);
    }
}

impl Value for u32 {
    fn put(self, out: &mut Vec<u8>) {
        u64::from(self).put(out);
    }
}

impl Value for u16 {
    fn put(self, out: &mut Vec<u8>) {
        u64::from(self).put(out);
    }
}

impl Value for u8 {
    fn put(self, out: &mut Vec<u8>) {
        u64::from(self).put(out);
    }
}

impl Value for i32 {
    fn put(self, out: &mut Vec<u8>) {
        if self < 0 {
            out.push(b'-');
        }
        self.unsigned_abs().put(out);
    }
}

impl Value for IpAddr {
    fn put(self, out: &mut Vec<u8>) {
        out.push(b'"');
        put::address(out, self);
        out.push(b'"');
    }
}

/// Names come from processes and cgroups: anything may be in them.
impl Value for &str {
    fn put(self, out: &mut Vec<u8>) {
        if is_plain(self.as_bytes()) {
            quote(out, self.as_bytes());
        } else {
            serde_json::to_writer(out, self).expect("a buffer takes everything");
        }
    }
}

impl Value for &Comm {
    fn put(self, out: &mut Vec<u8>) {
        if is_plain(self.as_bytes()) {
            quote(out, self.as_bytes());
        } else {
            (**self).put(out);
        }
    }
}

/// Nothing in it has to be escaped.
fn is_plain(text: &[u8]) -> bool {
    // All of it, whatever comes first: many bytes at once are faster than fewer one by one.
    !text.iter().fold(false, |found, byte| found | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\'))
}

fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

impl Value for &Cgroup {
    fn put(self, out: &mut Vec<u8>) {
        match &self.path {
            Some(path) => (**path).put(out),
            None => {
                out.extend_from_slice(b"\"cgroup:");
                put::number(out, self.id);
                out.push(b'"');
            }
        }
    }
}
