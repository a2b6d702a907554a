// SPDX-License-Identifier: MIT OR Apache-2.0
//! The screen of a live command: header, ledger, findings, and the table of its signal.

use std::fmt::Write;

use super::{bind, connect, format::wrapped, ledger, limits, listen, ports, state, theme::Theme, time_wait, verdict};
use crate::{mode::Mode, summarize::summary::Summary};

/// Size and style of the screen.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Number of columns; fewer than 80 count as 80.
    pub width: usize,
    /// Number of rows per table, and of findings.
    pub top: usize,
    /// Whether to use ANSI colours.
    pub colours: bool,
    /// Whether to use non-ASCII characters.
    pub unicode: bool,
    /// Whether to show everything: of each finding, of the ledger and of the cost.
    pub verbose: bool,
}

impl Layout {
    /// The mark of an estimate.
    pub(super) fn about(self) -> char {
        if self.unicode { ABOUT } else { '~' }
    }
}

/// The mark of an estimate, if non-ASCII characters are allowed.
pub(crate) const ABOUT: char = '\u{2248}';

/// The whole report as text.
pub fn screen(summary: &Summary, layout: Layout) -> String {
    let layout = Layout { width: layout.width.max(80), ..layout };
    let theme = Theme { colours: layout.colours };
    let mut out = String::with_capacity(4096);
    header(&mut out, theme, layout, summary.mode.name(), summary);
    match summary.mode {
        Mode::Bind => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            bind::tables(&mut out, theme, layout, summary);
        }
        Mode::ConnectLatency => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            connect::counts(&mut out, layout, summary);
            connect::tables(&mut out, theme, layout, summary);
        }
        Mode::Listen => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            listen::tables(&mut out, theme, layout, summary);
        }
        Mode::Doctor => {
            verdict::causes(&mut out, theme, layout, &summary.findings);
            limits::table(&mut out, theme, layout, &summary.observed.limits);
        }
        Mode::Ports => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            ports::tables(&mut out, theme, layout, summary);
        }
        Mode::States => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            state::tables(&mut out, theme, layout, &summary.observed.states, summary.observed.seconds);
        }
        Mode::TimeWait => {
            verdict::findings(&mut out, theme, layout, &summary.findings);
            time_wait::tables(&mut out, theme, layout, &summary.observed);
        }
    }
    footer(&mut out, theme, layout, summary);
    out
}

/// The first lines of a report: command, kernel, tier and length.
pub fn title(command: &str, summary: &Summary, layout: Layout) -> String {
    let mut out = String::new();
    header(&mut out, Theme { colours: layout.colours }, layout, command, summary);
    out
}

/// The last lines of a report: losses, cost, detail, ledger and notes.
pub fn accounts(summary: &Summary, layout: Layout) -> String {
    let mut out = String::new();
    footer(&mut out, Theme { colours: layout.colours }, layout, summary);
    out
}

fn footer(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    if summary.traced {
        ledger::ledger(out, theme, layout, summary);
    }
    let partial = connect::told_in_part(summary, layout.about());
    for note in partial.iter().chain(&summary.notes) {
        for line in wrapped(&format!("note: {note}"), layout.width) {
            let _ = writeln!(out, "{}", theme.faint(&line));
        }
    }
}

fn header(out: &mut String, theme: Theme, layout: Layout, command: &str, summary: &Summary) {
    let of = if summary.is_final { "whole run" } else { "interval" };
    let how = match summary.tier {
        Some(tier) => format!("tier {tier}"),
        None if summary.traced => "tier none".into(),
        None => "not tracing".into(),
    };
    let mut title = format!("tcp-trace {command}  kernel {}  {how}", summary.kernel);
    // A single reading has no duration.
    if summary.traced || summary.observed.seconds >= 1.0 {
        let _ = write!(title, "  {of} {:.1} s", summary.observed.seconds);
    }
    for line in wrapped(&title, layout.width) {
        let _ = writeln!(out, "{}", theme.title(&line));
    }
}
