// SPDX-License-Identifier: MIT OR Apache-2.0
//! When each cause occurred: a report also shows causes that were gone by the end.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::findings::{Code, Finding};

/// Causes by code, and the number of intervals.
#[derive(Clone, Debug, Default)]
pub struct FindingTimelines {
    by_code: BTreeMap<Code, FindingTimeline>,
    intervals: u64,
}

/// The occurrences of one cause.
#[derive(Clone, Debug)]
pub struct FindingTimeline {
    /// Number of intervals in which it was found.
    pub intervals: u64,
    /// End of the first of these intervals.
    pub first: Timestamp,
    /// End of the last of these intervals.
    pub last: Timestamp,
    /// The finding when it was last at its worst.
    worst: Finding,
}

impl FindingTimelines {
    /// Adds the findings of an interval.
    pub fn take(&mut self, time: Timestamp, found: &[Finding]) {
        self.intervals += 1;
        for finding in found {
            let timeline = self.by_code.entry(finding.code).or_insert_with(|| FindingTimeline {
                intervals: 0,
                first: time,
                last: time,
                worst: finding.clone(),
            });
            // Findings are worst first, so the first one of a code represents the interval.
            let told = timeline.last == time && timeline.intervals > 0;
            if told {
                continue;
            }
            timeline.intervals += 1;
            timeline.last = time;
            if finding.severity <= timeline.worst.severity {
                timeline.worst = finding.clone();
            }
        }
    }

    /// Number of all intervals.
    pub fn intervals(&self) -> u64 {
        self.intervals
    }

    /// The occurrences of a cause; `None`: only the whole run shows it.
    pub fn of(&self, code: Code) -> Option<&FindingTimeline> {
        self.by_code.get(&code)
    }

    /// Causes that are not among those of the whole run, worst first.
    pub fn gone(&self, at_the_end: &[Finding]) -> Vec<&Finding> {
        let remains = |code: Code| at_the_end.iter().any(|finding| finding.code == code);
        let gone = self.by_code.iter().filter(|(code, _)| !remains(**code));
        let mut gone: Vec<_> = gone.map(|(_, timeline)| &timeline.worst).collect();
        gone.sort_by_key(|finding| (finding.severity, finding.code));
        gone
    }
}
