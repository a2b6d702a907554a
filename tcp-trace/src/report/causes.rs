// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings as the page has them: evidence, when they were there, what to do.

use serde::Serialize;

use super::{chart::clock, timeline::FindingTimelines, words::sentence};
use crate::{findings::Finding, view::verdict};

/// A cause.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// What the runbook calls it.
    pub code: String,
    /// `critical`, `warning` or `info`
    pub severity: String,
    /// In one sentence.
    pub headline: String,
    /// When it was there.
    pub when: Option<String>,
    /// Names and values.
    pub evidence: Vec<(String, String)>,
    /// Safe to paste as a whole: what is not a command is a comment.
    pub fix: String,
    /// What that changes.
    pub gain: Option<String>,
    /// What it may cost.
    pub risk: Option<String>,
    /// What is often tried and should not be.
    pub avoid: &'static [&'static str],
}

impl Cause {
    /// With its course.
    pub fn of(finding: &Finding, timelines: &FindingTimelines) -> Self {
        let evidence = finding.evidence.iter().map(|(name, value)| verdict::in_words(name, value));
        let when = timelines.of(finding.code).map(|timeline| {
            let (intervals, all) = (timeline.intervals, timelines.intervals());
            let (first, last) = (clock(timeline.first), clock(timeline.last));
            match intervals {
                1 => format!("in 1 of {all} intervals, at {first}"),
                _ => format!("in {intervals} of {all} intervals, from {first} to {last}"),
            }
        });
        Self {
            code: finding.code.to_string(),
            severity: finding.severity.to_string(),
            headline: sentence(&finding.headline),
            when,
            evidence: evidence.collect(),
            fix: finding.fix.join("\n"),
            gain: finding.gain.clone(),
            risk: finding.risk.clone(),
            avoid: finding.code.avoid(),
        }
    }
}
