// SPDX-License-Identifier: MIT OR Apache-2.0
//! A report: one page of HTML that explains a run and needs nothing beside it. Follows a run like any answer, in
//! bounded memory, and writes at its end.

mod causes;
pub mod chart;
mod column;
#[cfg(test)]
mod contrast;
mod flame;
mod page;
mod policy;
#[cfg(test)]
mod sample;
mod section;
mod series;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use self::{column::Column, flame::Flame, section::Material, series::Series, timeline::Courses};
use crate::{
    aggregate::stacks::StacksAggregate,
    clock::Moment,
    event::Outcome,
    exit::Failure,
    findings::Severity,
    mode::Question,
    session_info::Circumstances,
    stream::{Follow, Happening, Written},
    summarize::{Reckoned, Reckoning, summary::Summary},
};

/// What a run is remembered by until its page is made.
#[derive(Debug)]
pub struct Report {
    reckoning: Reckoning,
    series: Series,
    stacks: StacksAggregate,
    courses: Courses,
    /// Rows of a table.
    top: usize,
    riddle: bool,
    /// How long the last interval was.
    interval_seconds: f64,
    page: Option<String>,
    worst: Option<Severity>,
}

impl Report {
    /// Of all that `doctor` asks.
    pub fn new(circumstances: &Circumstances, top: usize) -> Self {
        Self {
            reckoning: Reckoning::new(Question::Doctor, circumstances),
            series: Series::default(),
            stacks: StacksAggregate::default(),
            courses: Courses::default(),
            top,
            riddle: false,
            interval_seconds: 0.0,
            page: None,
            worst: None,
        }
    }

    /// The page; `None`: the run has not come to its end.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// The worst finding of any interval, or of the whole run.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    fn tick(&mut self, summary: &Summary) {
        let connect = &summary.observed.connect;
        self.riddle = connect.second_pass > 0 || connect.ended(Outcome::NoPort) > 0;
        self.interval_seconds = summary.observed.seconds;
        self.courses.take(summary.time, &summary.findings);
        self.series.push(Column::of(summary));
        self.remember(summary);
    }

    fn end(&mut self, now: Moment) -> Result<(), Failure> {
        // What came after the last tick is an interval too, if it was long enough to be told beside the others.
        if let Reckoned::Interval(rest) = self.reckoning.take(Happening::Tick(now)) {
            match rest.observed.seconds * 2.0 < self.interval_seconds {
                true => self.series.append(Column::of(&rest)),
                false => self.tick(&rest),
            }
        }
        let Reckoned::Whole(summary) = self.reckoning.take(Happening::End(now)) else { return Ok(()) };
        self.remember(&summary);
        let columns = std::mem::take(&mut self.series).finish();
        let flame = Flame::of(&self.stacks, self.top);
        let material = Material {
            circumstances: self.reckoning.circumstances(),
            summary: &summary,
            columns: &columns,
            courses: &self.courses,
            flame: flame.as_ref(),
            top: self.top,
        };
        self.page = Some(page::page(&material)?);
        Ok(())
    }

    fn remember(&mut self, summary: &Summary) {
        // Severities are ordered worst first.
        self.worst = summary.findings.iter().map(|finding| finding.severity).chain(self.worst).min();
    }
}

impl Follow for Report {
    fn follow(&mut self, happening: Happening<'_>) -> Result<(), Failure> {
        match happening {
            Happening::Event(event) => self.stacks.observe(event),
            Happening::End(now) => return self.end(now),
            _ => {}
        }
        if let Reckoned::Interval(summary) = self.reckoning.take(happening) {
            self.tick(&summary);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }

    fn has_a_riddle(&self) -> bool {
        self.riddle
    }
}
