// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON lines: one compact object a line, snake_case, units in names, `"v":2`; what is not known is null, never 0.

mod event;
mod ledger;
mod summary;
mod watched;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::calendar::Calendar;
use crate::{
    event::{Detail, Event, Lost},
    export::row::Row,
    findings::{Evidence, Finding},
    mode::Mode,
    model::JSON_VERSION,
    summarize::summary::Summary,
};

/// Appends the line of an event.
pub fn event(out: &mut Vec<u8>, calendar: &mut Calendar, event: &Event) {
    match event {
        Event::Detail(detail) => line(out, &DetailLine::from(detail)),
        Event::Lost(lost) => line(out, &LostLine { v: JSON_VERSION, kind: "lost", counts: (*lost).into() }),
        of_a_signal => self::event::signal(out, calendar, of_a_signal),
    }
}

/// Appends the line of a summary; `top` processes and destinations at most.
pub fn summary(out: &mut Vec<u8>, summary: &Summary, top: usize) {
    if summary.mode == Mode::ConnectLatency {
        line(out, &self::summary::SummaryLine::new(summary, top));
    } else {
        line(out, &self::watched::WatchedLine::new(summary));
    }
}

/// Appends the line of a row.
pub fn row(out: &mut Vec<u8>, time: Timestamp, row: &Row) {
    line(out, &RowLine { v: JSON_VERSION, kind: row.kind, time: time.to_string(), fields: EvidenceMap(&row.fields) });
}

/// Appends the line of a finding.
pub fn finding(out: &mut Vec<u8>, finding: &Finding) {
    let evidence = EvidenceMap(&finding.evidence);
    line(
        out,
        &FindingLine {
            v: JSON_VERSION,
            kind: "finding",
            code: finding.code.to_string(),
            severity: finding.severity.to_string(),
            headline: &finding.headline,
            evidence,
            fix: &finding.fix,
            gain: finding.gain.as_deref(),
            risk: finding.risk.as_deref(),
            avoid: finding.code.avoid(),
        },
    );
}

fn line(out: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *out, line).expect("strings as keys, and a buffer that takes everything");
    out.push(b'\n');
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
struct DetailLine {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    detail: &'static str,
    follows_one_in: u16,
    before: &'static str,
    before_follows_one_in: u16,
    reason: &'static str,
    programs_share: Option<f64>,
    agent_share: f64,
    max_overhead: f64,
}

impl From<&Detail> for DetailLine {
    fn from(change: &Detail) -> Self {
        Self {
            v: JSON_VERSION,
            kind: "detail",
            time: change.time.to_string(),
            detail: change.after.name(),
            follows_one_in: change.after.follows_one_in(),
            before: change.before.name(),
            before_follows_one_in: change.before.follows_one_in(),
            reason: if change.after > change.before { "over_budget" } else { "within_budget" },
            programs_share: change.programs_share.map(|share| rounded(share, 6)),
            agent_share: rounded(change.agent_share, 6),
            max_overhead: change.budget,
        }
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
    gain: Option<&'a str>,
    risk: Option<&'a str>,
    avoid: &'static [&'static str],
}

#[derive(Serialize)]
struct RowLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    #[serde(flatten)]
    fields: EvidenceMap<'a>,
}

struct EvidenceMap<'a>(&'a [(&'static str, Evidence)]);

impl Serialize for EvidenceMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, evidence)| {
            let value = match evidence {
                Evidence::Number(number) => Value::Number(*number),
                Evidence::Share(share) => Value::Share(rounded(*share, 4)),
                Evidence::Text(text) => Value::Text(text),
                Evidence::Flag(flag) => Value::Flag(*flag),
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
    Flag(bool),
    Unknown(()),
}

pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
