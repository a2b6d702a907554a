// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of the screen: phases, bars, processes and destinations.

use std::{borrow::Cow, fmt::Write, net::SocketAddr};

use super::{
    format::{count, duration, fitted},
    screen::Layout,
    theme::Theme,
};
use crate::aggregate::{
    connect::{self, ConnectSnapshot, Estimate},
    distribution::Distribution,
    tally::{Program, ProgramKey, Tally},
    top::Row,
    words::grouped,
};

/// Formats a value.
type Unit = fn(Option<u64>) -> String;

pub(super) fn phases(out: &mut String, theme: Theme, connect: &ConnectSnapshot) {
    let head = format!("{:<14}{:>12}{:>13}{:>13}{:>13}{:>13}", "phase", "count", "p50", "p90", "p99", "max");
    let _ = writeln!(out, "{}", theme.title(&head));
    let rows: [(&str, &Distribution, Unit); 4] = [
        ("port search", &connect.port_search, duration),
        ("handshake", &connect.handshake, duration),
        ("total", &connect.total, duration),
        ("ports visited", &connect.ports_visited, count),
    ];
    for (name, of, unit) in rows {
        let [p50, p90, p99, max] = [of.p50, of.p90, of.p99, of.max].map(unit);
        let _ = writeln!(out, "{name:<14}{:>12}{p50:>13}{p90:>13}{p99:>13}{max:>13}", grouped(of.count));
    }
}

/// Writes power-of-two buckets with bars, as bcc draws them.
pub(super) fn bars(out: &mut String, theme: Theme, layout: Layout, title: &str, of: &Distribution) {
    if of.count == 0 {
        return;
    }
    let width = layout.width.saturating_sub(42).max(20);
    let largest = of.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    let head = format!("{title:<27}{:>10}  distribution", "count");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    let mut empty = 0;
    for bucket in &of.buckets {
        // One outlier must not push everything else off the screen.
        empty = if bucket.count == 0 { empty + 1 } else { 0 };
        match empty {
            0 | 1 => {}
            2 => {
                let _ = writeln!(out, "{:>13}", "...");
                continue;
            }
            _ => continue,
        }
        let (low, high) = (duration(Some(bucket.low)), duration(Some(bucket.high)));
        let stars = usize::try_from(u128::from(bucket.count) * width as u128 / u128::from(largest)).unwrap_or(width);
        let bar = "*".repeat(stars.max(usize::from(bucket.count > 0)));
        let _ = writeln!(out, "{low:>11} -> {high:<12}{:>10}  |{bar:<width$}|", grouped(bucket.count));
    }
}

pub(super) fn worst(out: &mut String, theme: Theme, layout: Layout, connect: &ConnectSnapshot) {
    let programs = connect.programs.iter().take(layout.top);
    let mut rows: Vec<_> = programs.map(|row| Line::of(program(connect, &row.key, &row.value), row)).collect();
    rows.extend(Line::others("programs", &connect.programs, &connect.other.programs, layout.top));
    tallies(out, theme, layout, "program", &rows, connect.estimate());
    // Namespaces are shown only if there is more than one.
    let several = connect.destinations.windows(2).any(|pair| pair[0].key.netns != pair[1].key.netns);
    let destinations = connect.destinations.iter().take(layout.top).map(|row| {
        let to = SocketAddr::new(row.key.daddr, row.key.dport);
        let name = if several { format!("{to} netns {}", row.key.netns) } else { to.to_string() };
        Line::of(name, row)
    });
    let mut rows: Vec<_> = destinations.collect();
    rows.extend(Line::others("destinations", &connect.destinations, &connect.other.destinations, layout.top));
    tallies(out, theme, layout, "destination", &rows, connect.estimate());
}

/// Formats one process as `4242 php-fpm`, several as `curl, 412 pids`; adds what distinguishes it from others of the
/// name.
pub(crate) fn program(connect: &ConnectSnapshot, key: &ProgramKey, tally: &Tally) -> String {
    let Program { comm, uid, cgroup } = &key.program;
    let mut name = match (key.processes, &tally.caller) {
        (1, Some(caller)) if !key.processes_at_least => format!("{} {comm}", caller.pid),
        _ => {
            let at_least = if key.processes_at_least { ">=" } else { "" };
            format!("{comm}, {at_least}{} pids", grouped(key.processes))
        }
    };
    let namesakes = || connect.programs.iter().map(|row| &row.key.program).filter(|other| other.comm == *comm);
    if namesakes().any(|other| other.uid != *uid) {
        let _ = write!(name, ", uid {uid}");
    }
    if let Some(cgroup) = cgroup.as_ref().filter(|_| namesakes().any(|other| other.cgroup != *cgroup)) {
        let _ = write!(name, ", {cgroup}");
    }
    name
}

/// A line of a table.
struct Line<'a> {
    name: String,
    tally: Cow<'a, Tally>,
    at_least: bool,
}

impl<'a> Line<'a> {
    fn of<K>(name: String, row: &'a Row<K, Tally>) -> Self {
        Self { name, tally: Cow::Borrowed(&row.value), at_least: row.at_least }
    }

    /// The line with everything that is in no other line.
    fn others<K>(what: &str, rows: &[Row<K, Tally>], other: &Tally, top: usize) -> Option<Self> {
        let (left_out, tally) = connect::beyond(rows, other, top);
        let name = match (left_out, other.connects) {
            (1.., 0) => format!("({} other {what})", grouped(left_out)),
            _ => format!("(other {what})"),
        };
        (tally.connects > 0).then_some(Self { name, tally: Cow::Owned(tally), at_least: false })
    }
}

fn tallies(out: &mut String, theme: Theme, layout: Layout, title: &str, rows: &[Line<'_>], estimate: Option<Estimate>) {
    if rows.is_empty() {
        return;
    }
    let name_width = layout.width.saturating_sub(57).max(20);
    let head = format!(
        "{title:<name_width$}{:>11}{:>10}{:>8}{:>9}{:>9}{:>10}",
        "connects", "failed", "no_port", "2nd pass", "visited", "search"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    // In a sample, each count represents several attempts.
    let about = |count: u64| match estimate {
        Some(estimate) => format!("{}{}", layout.about(), grouped(estimate.of(count))),
        None => grouped(count),
    };
    for Line { name, tally, at_least } in rows {
        let name = fitted(name, name_width - 1);
        let connects = format!("{}{}", if *at_least { ">=" } else { "" }, about(tally.connects));
        let second_pass = (tally.second_pass_known > 0).then_some(tally.second_pass);
        let visited = (tally.visited.known > 0).then_some(tally.visited.max);
        let search = (tally.search_ns.known > 0).then_some(tally.search_ns.max);
        let _ = writeln!(
            out,
            "{name:<name_width$}{connects:>11}{:>10}{:>8}{:>9}{:>9}{:>10}",
            about(tally.failures),
            about(tally.no_port),
            second_pass.map_or("?".to_owned(), about),
            count(visited),
            duration(search)
        );
    }
    if title == "destination" {
        let _ = writeln!(
            out,
            "{}",
            theme.faint("visited, search: maximum; 2nd pass: found a port only in the second pass")
        );
    }
}
