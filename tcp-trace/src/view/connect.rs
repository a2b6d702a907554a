// SPDX-License-Identifier: MIT OR Apache-2.0
//! The screen of `connect-latency`.

use std::fmt::Write;

use super::format::{count, percent, rate, wrapped};
use super::theme::Theme;
use super::{ledger, table, verdict};
use crate::aggregate::summary::Summary;
use crate::aggregate::words::grouped;

/// What the screen may take up.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns; fewer than 80 count as 80.
    pub width: usize,
    /// Processes, destinations and findings shown.
    pub top: usize,
    /// With ANSI colours.
    pub colours: bool,
}

/// The whole answer as text.
pub fn screen(summary: &Summary, layout: Layout) -> String {
    let layout = Layout { width: layout.width.max(80), ..layout };
    let theme = Theme { colours: layout.colours };
    let mut out = String::with_capacity(4096);
    header(&mut out, theme, layout, summary);
    counts(&mut out, layout, summary);
    verdict::findings(&mut out, theme, layout, &summary.findings);
    let _ = writeln!(out);
    let connect = &summary.connect;
    table::phases(&mut out, theme, connect);
    table::bars(&mut out, theme, layout, "port search", &connect.port_search);
    table::bars(&mut out, theme, layout, "handshake", &connect.handshake);
    table::worst(&mut out, theme, layout, connect);
    time_wait(&mut out, theme, layout, summary);
    let partial = (connect.told < connect.connects).then(|| {
        let (told, made) = (grouped(connect.told), grouped(connect.connects));
        format!("processes, destinations and findings rest on {told} of {made} connects: counts are lower bounds there")
    });
    for note in partial.iter().chain(&summary.notes) {
        for line in wrapped(&format!("note: {note}"), layout.width) {
            let _ = writeln!(out, "{}", theme.faint(&line));
        }
    }
    out
}

fn header(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let of = if summary.is_final { "whole run" } else { "interval" };
    let title = format!(
        "tcp-trace connect-latency  kernel {}  tier {}  {of} {:.1} s",
        summary.kernel, summary.tier, summary.seconds
    );
    for line in wrapped(&title, layout.width) {
        let _ = writeln!(out, "{}", theme.title(&line));
    }
    ledger::ledger(out, theme, layout, summary);
}

fn counts(out: &mut String, layout: Layout, summary: &Summary) {
    let connect = &summary.connect;
    let mut words =
        format!("connects {} ({}/s)", grouped(connect.connects), rate(Some(connect.connects), summary.seconds));
    for (outcome, number) in connect.outcomes() {
        let _ = write!(words, "  {} {}", outcome.name(), grouped(number));
    }
    if connect.outcome_unknown > 0 {
        let _ = write!(words, "  outcome not known {}", grouped(connect.outcome_unknown));
    }
    let _ = writeln!(out);
    for line in wrapped(&words, layout.width) {
        let _ = writeln!(out, "{line}");
    }
    let known = (connect.second_pass_known > 0).then_some(connect.second_pass);
    let _ = write!(
        out,
        "second pass {} of {} searches ({})  SYNs sent again {}",
        count(known),
        grouped(connect.second_pass_known),
        percent(connect.second_pass, connect.second_pass_known),
        // Only a SYN that went out can be sent again.
        count((connect.handshake.count > 0).then_some(connect.syn_retransmits)),
    );
    if connect.mptcp > 0 {
        let _ = write!(out, "  MPTCP subflows {}", grouped(connect.mptcp));
    }
    let _ = writeln!(out);
    let refused = connect.candidates;
    if refused.searches > 0 {
        let all = refused.in_use + refused.time_wait + refused.skipped;
        let words = format!(
            "candidates refused, in {} sampled searches: in use {}, TIME_WAIT {}, skipped {}",
            grouped(refused.searches),
            percent(refused.in_use, all),
            percent(refused.time_wait, all),
            percent(refused.skipped, all),
        );
        for line in wrapped(&words, layout.width) {
            let _ = writeln!(out, "{line}");
        }
    }
}

fn time_wait(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let mut spaces: Vec<_> = summary.time_wait.iter().collect();
    spaces.sort_by_key(|(netns, totals)| (std::cmp::Reverse(totals.level), **netns));
    if spaces.is_empty() {
        return;
    }
    let head = format!(
        "{:<18}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}",
        "TIME_WAIT (netns)", "now", "in/s", "expired", "reused", "by SYN", "reset", "overflow"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for (netns, totals) in spaces.into_iter().take(layout.top) {
        let per_second = |number| rate(number, summary.seconds);
        let _ = writeln!(
            out,
            "{netns:<18}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}{:>9}",
            count(totals.level),
            per_second(totals.entered),
            per_second(totals.expired),
            per_second(totals.reused),
            per_second(totals.by_syn),
            per_second(totals.reset),
            per_second(totals.overflow)
        );
    }
}
