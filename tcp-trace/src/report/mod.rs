// SPDX-License-Identifier: MIT OR Apache-2.0
//! A report: one self-contained HTML page that explains a run. Consumes messages in bounded memory, and is written at
//! the end.

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

use self::{column::Column, flame::Flame, section::Material, series::Series, timeline::FindingTimelines};
use crate::{
    aggregate::stacks::StacksAggregate,
    clock::Moment,
    event::Outcome,
    exit::Failure,
    findings::Severity,
    mode::Mode,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
    summarize::{Summarized, Summarizer, summary::Summary},
};

/// The data that is kept until the page is written.
#[derive(Debug)]
pub struct Report {
    summarizer: Summarizer,
    series: Series,
    stacks: StacksAggregate,
    timelines: FindingTimelines,
    /// Number of rows per table.
    top: usize,
    wants_port_probes: bool,
    /// Length of the last interval in seconds.
    interval_seconds: f64,
    page: Option<String>,
    worst: Option<Severity>,
}

impl Report {
    /// Starts a report with the signals of `doctor`.
    pub fn new(session: &SessionInfo, top: usize) -> Self {
        Self {
            summarizer: Summarizer::new(Mode::Doctor, session),
            series: Series::default(),
            stacks: StacksAggregate::default(),
            timelines: FindingTimelines::default(),
            top,
            wants_port_probes: false,
            interval_seconds: 0.0,
            page: None,
            worst: None,
        }
    }

    /// The page; `None`: the run has not ended.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// The worst severity of any interval, or of the whole run.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    fn tick(&mut self, summary: &Summary) {
        let connect = &summary.observed.connect;
        self.wants_port_probes = connect.second_pass > 0 || connect.ended(Outcome::NoPort) > 0;
        self.interval_seconds = summary.observed.seconds;
        self.timelines.take(summary.time, &summary.findings);
        self.series.push(Column::of(summary));
        self.remember(summary);
    }

    fn end(&mut self, now: Moment) -> Result<(), Failure> {
        // The time after the last tick is an interval too, if it is long enough to show.
        if let Summarized::Interval(rest) = self.summarizer.take(Message::Tick(now)) {
            match rest.observed.seconds * 2.0 < self.interval_seconds {
                true => self.series.append(Column::of(&rest)),
                false => self.tick(&rest),
            }
        }
        let Summarized::Whole(summary) = self.summarizer.take(Message::End(now)) else { return Ok(()) };
        self.remember(&summary);
        let columns = std::mem::take(&mut self.series).finish();
        let flame = Flame::of(&self.stacks, self.top);
        let material = Material {
            session: self.summarizer.session_info(),
            summary: &summary,
            columns: &columns,
            timelines: &self.timelines,
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

impl Consumer for Report {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match message {
            Message::Event(event) => self.stacks.observe(event),
            Message::End(now) => return self.end(now),
            _ => {}
        }
        if let Summarized::Interval(summary) = self.summarizer.take(message) {
            self.tick(&summary);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }

    fn wants_port_probes(&self) -> bool {
        self.wants_port_probes
    }
}
