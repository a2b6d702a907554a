// SPDX-License-Identifier: MIT OR Apache-2.0
//! When each cause was there: a report tells of those, too, that had gone by the end.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::findings::{Code, Finding};

/// Causes by code, and how many intervals there were.
#[derive(Clone, Debug, Default)]
pub struct FindingTimelines {
    by_code: BTreeMap<Code, FindingTimeline>,
    intervals: u64,
}

/// The course of one cause.
#[derive(Clone, Debug)]
pub struct FindingTimeline {
    /// Intervals that it was found in.
    pub intervals: u64,
    /// The end of the first of these.
    pub first: Timestamp,
    /// The end of the last.
    pub last: Timestamp,
    /// As it was last found at its worst.
    worst: Finding,
}

impl FindingTimelines {
    /// Takes what was found in an interval.
    pub fn take(&mut self, time: Timestamp, found: &[Finding]) {
        self.intervals += 1;
        for finding in found {
            let timeline = self.by_code.entry(finding.code).or_insert_with(|| FindingTimeline {
                intervals: 0,
                first: time,
                last: time,
                worst: finding.clone(),
            });
            // Worst first: of several of one code in an interval the first stands for it.
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

    /// Intervals in all.
    pub fn intervals(&self) -> u64 {
        self.intervals
    }

    /// The course of a cause; `None`: it shows in the whole run only.
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
