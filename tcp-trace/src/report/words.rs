// SPDX-License-Identifier: MIT OR Apache-2.0
//! The summary in words: what a reader with one minute needs to know.

use serde::Serialize;

use crate::{
    aggregate::{connect::ConnectSnapshot, words::grouped},
    findings::Finding,
    summarize::summary::Summary,
    view::format::{count, duration, percent, rate},
};

/// The summary, in reading order.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Severity of the worst finding, or `none`.
    pub severity: String,
    /// The result in one sentence.
    pub lead: String,
    /// The first step of a fix, if there is one.
    pub first_step: Option<String>,
    /// Facts that the result is based on.
    pub sentences: Vec<String>,
}

impl Answer {
    /// The summary of the whole run; `gone`: findings that were present only during the run.
    pub fn of(summary: &Summary, gone: &[&Finding]) -> Self {
        let worst = summary.findings.first();
        let lead = match (worst, gone.first()) {
            (Some(worst), _) => sentence(&worst.headline),
            (None, Some(gone)) => format!("Nothing is wrong at the end of the run; earlier: {}.", gone.headline),
            (None, None) => "No cause was found in what was observed.".into(),
        };
        let mut sentences = Vec::new();
        match summary.findings.len() {
            0 | 1 => {}
            number => sentences.push(format!("{number} causes were found; this is the worst of them.")),
        }
        sentences.extend(connects(summary));
        sentences.extend(took(&summary.observed.connect));
        sentences.extend(fell(&summary.observed.connect));
        sentences.extend(lost(summary));
        Self {
            severity: worst.map_or("none".into(), |worst| worst.severity.to_string()),
            lead,
            first_step: worst.and_then(|worst| first_step(&worst.fix)),
            sentences,
        }
    }
}

/// The first step of a fix: its first comment line, or else its command.
fn first_step(fix: &[String]) -> Option<String> {
    let words: Vec<_> = fix.iter().map_while(|line| line.strip_prefix("# ")).collect();
    match (words.is_empty(), fix.first()) {
        (false, _) => words.first().map(|words| sentence(words)),
        (true, command) => command.cloned(),
    }
}

/// A sentence with a full stop, without a capital, because the first word may be a name.
pub(super) fn sentence(words: &str) -> String {
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{words}{stop}")
}

fn connects(summary: &Summary) -> Option<String> {
    let connect = &summary.observed.connect;
    let seconds = summary.observed.seconds;
    if !summary.traced {
        return None;
    }
    if connect.connects == 0 {
        return Some(format!("In {seconds:.1} s no connect() ended."));
    }
    let mut ends: Vec<_> =
        connect.outcomes().map(|(end, number)| format!("{} {}", grouped(number), words(end.name()))).collect();
    if connect.outcome_unknown > 0 {
        ends.push(format!("{} of unknown outcome", grouped(connect.outcome_unknown)));
    }
    let (made, per_second) = (grouped(connect.connects), rate(Some(connect.connects), seconds));
    Some(format!("In {seconds:.1} s there were {made} connects ({per_second} a second): {}.", ends.join(", ")))
}

fn took(connect: &ConnectSnapshot) -> Option<String> {
    let total = &connect.total;
    let (p50, p99) = (total.p50?, total.p99?);
    let mut words = format!(
        "Half of them took {} or less, one in a hundred {} or more, the longest {}.",
        duration(Some(p50)),
        duration(Some(p99)),
        duration(total.max),
    );
    if let (Some(search), Some(handshake)) = (connect.port_search.p99, connect.handshake.p99) {
        words += &format!(
            " At the 99th percentile the port search took {} and the handshake {}.",
            duration(Some(search)),
            duration(Some(handshake)),
        );
    }
    Some(words)
}

fn fell(connect: &ConnectSnapshot) -> Option<String> {
    if connect.second_pass == 0 {
        return None;
    }
    Some(format!(
        "{} of {} searches ({}) found the first half of the range full and continued in the second; the longest \
         visited {} ports.",
        grouped(connect.second_pass),
        grouped(connect.second_pass_known),
        percent(connect.second_pass, connect.second_pass_known),
        count(connect.ports_visited.max),
    ))
}

fn lost(summary: &Summary) -> Option<String> {
    let lost = summary.lost;
    let all = lost.ring_buffer + lost.map_full + lost.missed;
    (all > 0).then(|| {
        format!(
            "Some events were lost: {} because the ring buffer was full, {} because a map was full, {} were missed.",
            grouped(lost.ring_buffer),
            grouped(lost.map_full),
            grouped(lost.missed)
        )
    })
}

/// Formats `timed_out` as `timed out`.
fn words(name: &str) -> String {
    name.replace('_', " ")
}
