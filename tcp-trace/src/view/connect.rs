// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of the `connect-latency` screen about connects.

use std::fmt::Write;

use super::{
    format::{count, percent, rate, share, wrapped},
    screen::Layout,
    table,
    theme::Theme,
};
use crate::{aggregate::words::grouped, summarize::summary::Summary};

/// Writes distributions, the worst rows, and TIME_WAIT.
pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let _ = writeln!(out);
    let connect = &summary.observed.connect;
    table::phases(out, theme, connect);
    table::bars(out, theme, layout, "port search", &connect.port_search);
    table::bars(out, theme, layout, "handshake", &connect.handshake);
    table::worst(out, theme, layout, connect);
    time_wait(out, theme, layout, summary);
}

/// A note where not every connect was followed, or not every one found room in a row. `about` marks estimates.
pub(crate) fn told_in_part(summary: &Summary, about: char) -> Option<String> {
    let connect = &summary.observed.connect;
    if let Some(estimate) = connect.estimate() {
        let (followed, made) = (grouped(connect.connects - connect.outcome_unknown), grouped(connect.connects));
        return Some(format!(
            "{about}: estimated from {followed} of {made} connects, sampled at random; standard error {} for the total, larger for parts",
            share(Some(estimate.error))
        ));
    }
    let marked = |at_least: bool| at_least.then(|| ">=: lower bound; the rest is counted among the others".to_owned());
    marked(connect.programs.iter().any(|row| row.at_least) || connect.destinations.iter().any(|row| row.at_least))
}

pub(super) fn counts(out: &mut String, layout: Layout, summary: &Summary) {
    let connect = &summary.observed.connect;
    let mut words = format!(
        "connects {} ({}/s)",
        grouped(connect.connects),
        rate(Some(connect.connects), summary.observed.seconds)
    );
    for (outcome, number) in connect.outcomes() {
        let _ = write!(words, "  {} {}", outcome.name(), grouped(number));
    }
    if connect.outcome_unknown > 0 {
        let _ = write!(words, "  outcome unknown {}", grouped(connect.outcome_unknown));
    }
    let _ = writeln!(out);
    for line in wrapped(&words, layout.width) {
        let _ = writeln!(out, "{line}");
    }
    let known = (connect.second_pass_known > 0).then_some(connect.second_pass);
    let _ = write!(
        out,
        "second pass {} of {} searches ({})  SYN retransmits {}",
        count(known),
        grouped(connect.second_pass_known),
        percent(connect.second_pass, connect.second_pass_known),
        // Only a SYN that was sent can be retransmitted.
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
    let mut spaces: Vec<_> = summary.observed.time_wait.iter().collect();
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
        let per_second = |number| rate(number, summary.observed.seconds);
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
