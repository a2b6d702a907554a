// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings on the page: evidence, when they occurred, fixes.

use serde::Serialize;

use super::{chart::clock, timeline::FindingTimelines, words::sentence};
use crate::{findings::Finding, view::verdict};

/// A finding on the page.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// Code of the finding.
    pub code: String,
    /// Severity: `critical`, `warning` or `info`.
    pub severity: String,
    /// The cause in one sentence.
    pub headline: String,
    /// When it occurred, in words.
    pub when: Option<String>,
    /// Evidence as names and values.
    pub evidence: Vec<(String, String)>,
    /// Fixes, safe to paste as a whole: every line is a command or a comment.
    pub fix: String,
    /// Expected effect of the fix.
    pub gain: Option<String>,
    /// Possible drawbacks of the fix.
    pub risk: Option<String>,
    /// Measures to avoid.
    pub avoid: &'static [&'static str],
}

impl Cause {
    /// A finding, with the intervals in which it occurred.
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
