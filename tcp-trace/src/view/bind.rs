// SPDX-License-Identifier: MIT OR Apache-2.0
//! The screen of `bind`.

use std::fmt::Write;

use tcp_trace_common::bind::RawBindCounts;

use super::{
    format::{count, duration, fitted, percent, rate, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::{
        bind::{Binder, SpaceMarks},
        distribution::Distribution,
        words::grouped,
    },
    summarize::summary::Summary,
};

/// Binds by process, and marked ports by network namespace.
pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let (bind, seconds) = (&summary.observed.bind, summary.observed.seconds);
    let head = format!("{:<22}{:>10}{:>9}{:>13}{:>13}{:>13}", "bind()", "count", "per s", "p50", "p99", "max");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    let seen = summary.tier.is_some();
    times(out, "port 0 (any)", seen.then_some(&bind.any_port), seconds);
    times(out, "an explicit port", seen.then_some(&bind.a_port), seconds);
    binders(out, theme, layout, &bind.binders);
    marks(out, theme, layout, bind.marks.as_deref());
}

/// Writes a line of times; `of` is `None` where no program was attached.
fn times(out: &mut String, name: &str, of: Option<&Distribution>, seconds: f64) {
    let [p50, p99, max] = of.map_or([None; 3], |of| [of.p50, of.p99, of.max]).map(duration);
    let calls = of.map(|of| of.count);
    let (calls, per_second) = (count(calls), rate(calls, seconds));
    let _ = writeln!(out, "{name:<22}{calls:>10}{per_second:>9}{p50:>13}{p99:>13}{max:>13}");
}

fn binders(out: &mut String, theme: Theme, layout: Layout, binders: &[Binder]) {
    if binders.is_empty() {
        return;
    }
    let name_width = layout.width.saturating_sub(58).max(22);
    let head = format!(
        "{:<name_width$}{:>8}{:>9}{:>10}{:>9}{:>9}{:>9}",
        "process", "port", "binds", "connected", "in use", "shared", "mean"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for binder in binders.iter().take(layout.top) {
        let name = format!("{} {}", binder.process.pid, binder.process.comm);
        let name = fitted(&name, name_width - 1);
        for (port, of) in [("any", &binder.any_port), ("own", &binder.a_port)] {
            if of.calls > 0 || of.connected > 0 {
                counts(out, &name, name_width, port, of);
            }
        }
        if let Some(site) = binder.any_port_site() {
            let _ = writeln!(out, "{}", theme.faint(&fitted(&format!("  from {site}"), layout.width)));
        }
    }
    let _ = writeln!(
        out,
        "{}",
        theme.faint("connected: called connect() afterwards; shared: SO_REUSEADDR or SO_REUSEPORT")
    );
}

fn counts(out: &mut String, name: &str, width: usize, port: &str, of: &RawBindCounts) {
    let _ = writeln!(
        out,
        "{name:<width$}{port:>8}{:>9}{:>10}{:>9}{:>9}{:>9}",
        grouped(of.calls),
        grouped(of.connected),
        grouped(of.in_use),
        grouped(of.shared),
        duration(of.took_ns.checked_div(of.calls)),
    );
}

fn marks(out: &mut String, theme: Theme, layout: Layout, spaces: Option<&[SpaceMarks]>) {
    let head = format!(
        "{:<22}{:>8}{:>10}{:>9}{:>9}{:>11}{:>11}",
        "marked ports (netns)", "skipped", "poisoned", "bound", "listen", "TIME_WAIT", "of range"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    let Some(spaces) = spaces else {
        let _ = writeln!(out, "{:<22}{:>8}", "?", count(None));
        return;
    };
    let mut spaces: Vec<_> = spaces.iter().collect();
    spaces.sort_by_key(|space| (std::cmp::Reverse(space.marks.skipped()), space.netns));
    for space in spaces.into_iter().take(layout.top) {
        let of = &space.marks;
        let name = space.name.as_ref().map_or(space.netns.to_string(), |name| format!("{} {name}", space.netns));
        let _ = writeln!(
            out,
            "{:<22}{:>8}{:>10}{:>9}{:>9}{:>11}{:>11}",
            fitted(&name, 21),
            grouped(of.skipped()),
            grouped(of.poisoned),
            grouped(of.bound),
            grouped(of.listening),
            grouped(of.time_wait),
            percent(of.skipped(), of.ports()),
        );
        for (process, ports) in space.holders.iter().take(layout.top) {
            let line = format!("  {} {} holds {}", process.pid, process.comm, grouped(*ports));
            let _ = writeln!(out, "{}", theme.faint(&line));
        }
    }
    let legend = "skipped by every connect(), for any destination; poisoned: connect() chose the port and another socket \
                  bound it later; bound: by its connection itself, before it connected";
    for line in wrapped(legend, layout.width) {
        let _ = writeln!(out, "{}", theme.faint(&line));
    }
}
