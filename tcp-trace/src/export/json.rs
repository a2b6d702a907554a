// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON lines: one compact object a line, snake_case, units in names, `"v":1`; what is not known is null, never 0.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::aggregate::findings::{Evidence, Finding};
use crate::aggregate::summary::Summary;
use crate::event::{Cgroup, Connect, Event, LeaveReason, Lost, Passage, TimeWait};

/// Version of the contract.
pub(super) const VERSION: u8 = 1;

/// Appends the line of an event.
pub fn event(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Connect(connect) => line(out, &ConnectLine::from(connect)),
        Event::TimeWait(time_wait) => line(out, &TimeWaitLine::from(time_wait)),
        Event::Lost(lost) => line(out, &LostLine { v: VERSION, kind: "lost", counts: (*lost).into() }),
    }
}

/// Appends the line of a summary; `top` processes and destinations at most.
pub fn summary(out: &mut Vec<u8>, summary: &Summary, top: usize) {
    line(out, &super::json_summary::SummaryLine::new(summary, top));
}

/// Appends the line of a finding.
pub fn finding(out: &mut Vec<u8>, finding: &Finding) {
    let evidence = EvidenceMap(&finding.evidence);
    line(
        out,
        &FindingLine {
            v: VERSION,
            kind: "finding",
            code: finding.code.to_string(),
            severity: finding.severity.to_string(),
            headline: &finding.headline,
            evidence,
            fix: &finding.fix,
        },
    );
}

fn line(out: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *out, line).expect("strings as keys, and a buffer that takes everything");
    out.push(b'\n');
}

pub(super) fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// A local address that was never chosen is not known.
pub(super) fn chosen(address: IpAddr) -> Option<IpAddr> {
    (!address.is_unspecified()).then_some(address)
}

#[derive(Serialize)]
struct ConnectLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    pid: u32,
    tid: u32,
    comm: &'a str,
    uid: u32,
    #[serde(serialize_with = "shown")]
    cgroup: Option<&'a Cgroup>,
    netns: u32,
    family: &'static str,
    saddr: Option<IpAddr>,
    sport: Option<u16>,
    daddr: IpAddr,
    dport: u16,
    outcome: &'static str,
    errno: Option<i32>,
    source_port: Option<&'static str>,
    port_search_ns: Option<u64>,
    ports_visited: Option<u32>,
    second_pass: Option<bool>,
    range_low: Option<u16>,
    range_high: Option<u16>,
    handshake_ns: Option<u64>,
    syn_retransmits: Option<u32>,
    total_ns: Option<u64>,
    candidates_in_use: Option<u32>,
    candidates_time_wait: Option<u32>,
    candidates_time_wait_reused: Option<u32>,
    candidates_skipped: Option<u32>,
    mptcp: Option<bool>,
}

impl<'a> From<&'a Connect> for ConnectLine<'a> {
    fn from(connect: &'a Connect) -> Self {
        let candidates = connect.candidates;
        Self {
            v: VERSION,
            kind: "connect",
            time: connect.time.to_string(),
            pid: connect.caller.pid,
            tid: connect.caller.tid,
            comm: &connect.caller.comm,
            uid: connect.caller.uid,
            cgroup: connect.caller.cgroup.as_ref(),
            netns: connect.netns,
            family: family(connect.daddr),
            saddr: chosen(connect.saddr),
            sport: connect.sport,
            daddr: connect.daddr,
            dport: connect.dport,
            outcome: connect.outcome.name(),
            errno: connect.errno,
            source_port: connect.source_port.map(|port| port.name()),
            port_search_ns: connect.port_search_ns,
            ports_visited: connect.ports_visited,
            second_pass: connect.second_pass,
            range_low: connect.range.map(|(low, _)| low),
            range_high: connect.range.map(|(_, high)| high),
            handshake_ns: connect.handshake_ns,
            syn_retransmits: connect.syn_retransmits,
            total_ns: connect.total_ns,
            candidates_in_use: candidates.map(|candidates| candidates.in_use),
            candidates_time_wait: candidates.map(|candidates| candidates.time_wait),
            candidates_time_wait_reused: candidates.map(|candidates| candidates.time_wait_reused),
            candidates_skipped: candidates.and_then(|candidates| candidates.skipped),
            mptcp: connect.mptcp,
        }
    }
}

fn shown<S: Serializer>(cgroup: &Option<&Cgroup>, serializer: S) -> Result<S::Ok, S::Error> {
    match cgroup {
        Some(cgroup) => serializer.collect_str(cgroup),
        None => serializer.serialize_none(),
    }
}

#[derive(Serialize)]
struct TimeWaitLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    event: &'static str,
    reason: Option<&'static str>,
    substate: Option<&'static str>,
    netns: u32,
    family: &'static str,
    saddr: IpAddr,
    sport: u16,
    daddr: IpAddr,
    dport: u16,
    owner_pid: Option<u32>,
    owner_comm: Option<&'a str>,
    lived_ns: Option<u64>,
    level: Option<u32>,
}

impl<'a> From<&'a TimeWait> for TimeWaitLine<'a> {
    fn from(time_wait: &'a TimeWait) -> Self {
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
        Self {
            v: VERSION,
            kind: "time_wait",
            time: time_wait.time.to_string(),
            event,
            reason,
            substate,
            netns: time_wait.netns,
            family: family(time_wait.daddr),
            saddr: time_wait.saddr,
            sport: time_wait.sport,
            daddr: time_wait.daddr,
            dport: time_wait.dport,
            owner_pid: time_wait.owner_pid,
            owner_comm: time_wait.owner_comm.as_deref(),
            lived_ns: time_wait.lived_ns,
            level: time_wait.level,
        }
    }
}

#[derive(Serialize)]
struct LostLine {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    counts: LostCounts,
}

#[derive(Serialize)]
pub(super) struct LostCounts {
    ring_buffer: u64,
    map_full: u64,
    missed: u64,
}

impl From<Lost> for LostCounts {
    fn from(lost: Lost) -> Self {
        Self { ring_buffer: lost.ring_buffer, map_full: lost.map_full, missed: lost.missed }
    }
}

#[derive(Serialize)]
struct FindingLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    code: String,
    severity: String,
    headline: &'a str,
    evidence: EvidenceMap<'a>,
    fix: &'a [String],
}

struct EvidenceMap<'a>(&'a [(&'static str, Evidence)]);

impl Serialize for EvidenceMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, evidence)| {
            let value = match evidence {
                Evidence::Number(number) => Value::Number(*number),
                Evidence::Share(share) => Value::Share(rounded(*share, 4)),
                Evidence::Text(text) => Value::Text(text),
                Evidence::Unknown => Value::Unknown(()),
            };
            (name, value)
        }))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Number(u64),
    Share(f64),
    Text(&'a str),
    Unknown(()),
}

pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
