// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes reports: lines as events arrive, a summary at every tick, and a final one.

use std::time::Duration;

use crate::{
    event::{Connect, Event, Outcome},
    exit::Failure,
    export::{calendar::Calendar, csv, format::Format, json, rows, sink::Sink},
    findings::{Finding, Severity},
    mode::Mode,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
    summarize::{Summarized, Summarizer, summary::Summary},
    view::{
        events, line,
        screen::{Layout, screen},
    },
};

/// Moves the cursor home and erases everything, so that the next screen replaces the last.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct OutputOptions {
    /// The output format.
    pub format: Format,
    /// Whether to write a line for every connect.
    pub connects: bool,
    /// Whether to write a line for every event of the other signals.
    pub signals: bool,
    /// Whether to write a summary at every tick, not only at the end.
    pub intervals: bool,
    /// Write only connects that took at least this long.
    pub min_latency: Option<Duration>,
    /// Write only connects whose search needed the second parity pass.
    pub second_pass_only: bool,
    /// Size and style of a screen; its `top` applies to JSON too.
    pub layout: Layout,
}

impl OutputOptions {
    /// Whether a terminal shows one screen that changes: not if lines are written to it.
    fn redraws(&self, sink: &Sink) -> bool {
        sink.is_terminal() && self.intervals && !self.connects && !self.signals
    }
}

/// Everything observed so far, and the output.
#[derive(Debug)]
pub struct Answer {
    mode: Mode,
    options: OutputOptions,
    sink: Sink,
    summarizer: Summarizer,
    worst: Option<Severity>,
    /// Whether port probes could explain something in the last interval.
    wants_port_probes: bool,
    /// Buffer of the next write, kept for its capacity.
    buffer: Vec<u8>,
    calendar: Calendar,
}

impl Answer {
    /// Starts without observations; writes what comes before the first line.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn new(mode: Mode, session: &SessionInfo, options: OutputOptions, mut sink: Sink) -> Result<Self, Failure> {
        let mut buffer = Vec::new();
        let connects = mode == Mode::ConnectLatency;
        match options.format {
            Format::Csv if connects => csv::header(&mut buffer),
            Format::Text if options.connects => buffer.extend(events::header().bytes()),
            Format::Text if connects && !options.redraws(&sink) && options.intervals => {
                buffer.extend(line::header().bytes());
            }
            Format::Text | Format::Json | Format::Csv => {}
        }
        sink.write(&buffer)?;
        Ok(Self {
            mode,
            options,
            sink,
            summarizer: Summarizer::new(mode, session),
            worst: None,
            wants_port_probes: false,
            buffer,
            calendar: Calendar::default(),
        })
    }

    /// The worst severity of any summary.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// The output, for further writes.
    pub fn into_sink(self) -> Sink {
        self.sink
    }

    fn list(&mut self, event: &Event) -> Result<(), Failure> {
        let listed = match event {
            Event::Connect(connect) => self.lists(connect),
            Event::TimeWait(_) | Event::Bind(_) | Event::ListenDrop(_) | Event::State(_) => self.options.signals,
            Event::Lost(_) | Event::Detail(_) => true,
            // Flame graphs use stacks; a line has no room for one.
            Event::Stack(_) => false,
        };
        if !listed {
            return Ok(());
        }
        self.buffer.clear();
        match (self.options.format, event) {
            (Format::Json, event) => json::event(&mut self.buffer, &mut self.calendar, event),
            (Format::Csv, Event::Connect(connect)) => csv::connect(&mut self.buffer, &mut self.calendar, connect),
            (Format::Text, Event::Connect(connect)) => self.buffer.extend(events::connect(connect).bytes()),
            (Format::Text, Event::TimeWait(time_wait)) => self.buffer.extend(events::time_wait(time_wait).bytes()),
            (Format::Text, Event::ListenDrop(dropped)) => self.buffer.extend(events::listen_drop(dropped).bytes()),
            (Format::Text, Event::Bind(bind)) => self.buffer.extend(events::bind(bind).bytes()),
            (Format::Text, Event::State(state)) => self.buffer.extend(events::state(state).bytes()),
            (Format::Text, Event::Detail(detail)) if !self.options.redraws(&self.sink) => {
                self.buffer.extend(events::detail(detail).bytes());
            }
            (Format::Csv, Event::Detail(detail)) => {
                tracing::warn!("{}", events::detail(detail).trim_end());
            }
            // None of these has a row in CSV; text shows a loss, and on a screen the detail, in the next summary.
            (Format::Csv, _) | (Format::Text, Event::Lost(_) | Event::Detail(_) | Event::Stack(_)) => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    fn tick(&mut self, summary: &Summary) -> Result<(), Failure> {
        let connect = &summary.observed.connect;
        self.wants_port_probes = connect.second_pass > 0 || connect.ended(Outcome::NoPort) > 0;
        self.remember(&summary.findings);
        if self.options.intervals { self.write_interval(summary) } else { Ok(()) }
    }

    /// Writes the final summary.
    fn finish(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.remember(&summary.findings);
        self.buffer.clear();
        match self.options.format {
            Format::Json => self.put_json(summary),
            Format::Text => self.put_screen(summary),
            Format::Csv => self.put_csv(summary),
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    fn lists(&self, connect: &Connect) -> bool {
        self.options.connects
            && (!self.options.second_pass_only || connect.second_pass == Some(true))
            && self.options.min_latency.is_none_or(|least| {
                let took = connect.total_ns.or(connect.handshake_ns);
                took.is_some_and(|took| u128::from(took) >= least.as_nanos())
            })
    }

    fn write_interval(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.buffer.clear();
        match self.options.format {
            Format::Json => self.put_json(summary),
            Format::Csv => self.put_csv(summary),
            Format::Text if self.options.redraws(&self.sink) => self.put_screen(summary),
            Format::Text if self.mode == Mode::ConnectLatency && !self.options.connects => {
                self.buffer.extend(line::line(summary).bytes());
            }
            // In a pipe the other questions write text once, at the end.
            Format::Text => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    fn put_json(&mut self, summary: &Summary) {
        let top = self.options.layout.top;
        let doctor = summary.mode == Mode::Doctor;
        // doctor shows causes first, other commands show them after the figures.
        let (before, after) = if doctor { (&summary.findings[..], &[][..]) } else { (&[][..], &summary.findings[..]) };
        before.iter().for_each(|finding| json::finding(&mut self.buffer, finding));
        rows::of(summary, top).iter().for_each(|row| json::row(&mut self.buffer, summary.time, row));
        json::summary(&mut self.buffer, summary, top);
        after.iter().for_each(|finding| json::finding(&mut self.buffer, finding));
    }

    fn put_csv(&mut self, summary: &Summary) {
        let all = rows::of(summary, self.options.layout.top);
        csv::rows(&mut self.buffer, summary.time, &all);
    }

    fn put_screen(&mut self, summary: &Summary) {
        let mut text = screen(summary, self.options.layout);
        if self.options.redraws(&self.sink) {
            self.buffer.extend(CLEAR);
            // What does not fit would push the findings off the screen. The final report is whole.
            if let Some(lines) = self.sink.lines().filter(|_| !summary.is_final) {
                text = fitted(text, lines);
            }
        }
        self.buffer.extend(text.bytes());
    }

    fn remember(&mut self, found: &[Finding]) {
        // Severities are ordered worst first.
        self.worst = found.iter().map(|finding| finding.severity).chain(self.worst).min();
    }
}

/// The first lines of a text, so that all fit a terminal of this height, and how many were left out.
fn fitted(text: String, height: usize) -> String {
    let count = text.lines().count();
    // The cursor takes the last line.
    let room = height.saturating_sub(1).max(2);
    if count <= room {
        return text;
    }
    let shown: String = text.split_inclusive('\n').take(room - 1).collect();
    format!("{shown}{} more lines: Ctrl-C ends the run and shows all\n", count - (room - 1))
}

impl Consumer for Answer {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match (self.summarizer.take(message), message) {
            (_, Message::Event(event)) => self.list(event),
            (Summarized::Lost(lost), _) => self.list(&Event::Lost(lost)),
            (Summarized::Interval(summary), _) => self.tick(&summary),
            (Summarized::Whole(summary), _) => self.finish(&summary),
            (Summarized::Nothing, _) => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        self.sink.flush()
    }

    fn wants_port_probes(&self) -> bool {
        self.wants_port_probes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_fits_the_terminal() {
        let text = |lines: usize| (0..lines).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(fitted(text(23), 24), text(23));
        let cut = fitted(text(60), 24);
        assert_eq!(cut.lines().count(), 23);
        assert!(
            cut.starts_with("0\n1\n") && cut.ends_with("\n21\n38 more lines: Ctrl-C ends the run and shows all\n"),
            "{cut}"
        );
    }
}
