// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of `ports`: how far each source and destination is from the cliff, and a picture of the range.

mod explain;
mod picture;

use std::{fmt::Write, net::SocketAddr};

use super::{
    format::{count, duration, fitted, percent, rate, span, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::{
        observed::Observed,
        ports::{Effort, Group, held::By},
        words::grouped,
    },
    summarize::summary::Summary,
};

/// Number of pictures, which take ten lines each; only of groups that take at least 1 % of their range.
const PICTURES: usize = 2;

pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let observed = &summary.observed;
    let groups = &observed.ports.groups[..observed.ports.groups.len().min(layout.top)];
    if observed.ports.effort == Effort::default() {
        let _ = writeln!(out, "\nreading sockets");
        return;
    }
    if groups.is_empty() {
        let _ = writeln!(out, "\nno connection uses a port of the range: no destination is near the cliff");
    } else {
        edge(out, theme, layout, observed, groups);
    }
    let worth_a_picture = |group: &&Group| group.held.taken().both() * 100 >= group.range.ports();
    for group in groups.iter().filter(worth_a_picture).take(PICTURES) {
        picture::draw(out, theme, layout, group);
    }
    spaces(out, theme, layout, observed);
    let more = observed.ports.groups.len() as u64 + observed.ports.more_groups - groups.len() as u64;
    if more > 0 {
        let _ = writeln!(out, "{}", theme.faint(&format!("{} more sources and destinations (--top)", grouped(more))));
    }
    let effort = observed.ports.effort;
    let words = format!("{} sockets read in {}", grouped(effort.sockets), duration(Some(effort.took_ns)));
    let _ = writeln!(out, "{}", theme.faint(&words));
    if summary.is_final {
        explain::how_ports_are_chosen(out, theme, layout, observed);
    }
}

/// Writes three lines per group, so that addresses have room and figures are in columns.
fn edge(out: &mut String, theme: Theme, layout: Layout, observed: &Observed, groups: &[Group]) {
    let head = format!(
        "\nfrom -> to\n{:>17}{:>15}{:>14}{:>9}{:>9}{:>9}{:>8}",
        "taken", "first half", "to cliff", "in", "to full", "in", "ports/s"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for group in groups {
        for line in wrapped(&whose(observed, group), layout.width) {
            let _ = writeln!(out, "{line}");
        }
        let (taken, halves) = (group.held.taken(), group.range.halves());
        let cliff = group.held.to_cliff(group.range).map(u64::from);
        let line = format!(
            "{:>17}{:>15}{:>14}{:>9}{:>9}{:>9}{:>8}",
            format!("{} ({})", grouped(taken.both().into()), percent(taken.both().into(), group.range.ports().into())),
            format!("{}/{}", grouped(taken.first.into()), grouped(halves.first.into())),
            cliff.map_or("none".into(), grouped),
            span(group.seconds_to_cliff()),
            grouped(group.held.to_exhaustion(group.range).into()),
            span(group.seconds_to_exhaustion()),
            growth(group),
        );
        let _ = writeln!(out, "{}", if cliff == Some(0) { theme.alarm(&line) } else { line });
        for line in wrapped(&by_what(group), layout.width - 4) {
            let _ = writeln!(out, "    {}", theme.faint(&line));
        }
    }
}

/// Source, destination and largest holder of a group.
pub(crate) fn whose(observed: &Observed, group: &Group) -> String {
    let route = group.route;
    let to = SocketAddr::new(route.daddr, route.dport);
    let mut words = format!("{} -> {to}  netns {}", route.saddr, observed.netns_label(route.netns));
    if let Some((owner, sockets)) = &group.owner {
        let _ = write!(words, ", {} ({}) holds {}", owner.comm, owner.pid, grouped((*sockets).into()));
    }
    let tally = observed.connect.destinations.iter().find(|row| row.key == route.destination());
    if let Some(tally) = tally {
        let estimate = observed.connect.estimate();
        let connects = estimate.map_or(tally.value.connects, |estimate| estimate.of(tally.value.connects));
        let about = estimate.map_or("", |_| "about ");
        let _ = write!(words, ", connects {about}{}/s", rate(Some(connects), observed.seconds));
    }
    words
}

/// What takes the ports, in words.
pub(crate) fn by_what(group: &Group) -> String {
    let held = By::ALL.into_iter().map(|by| (by, group.held.by(by).both())).filter(|(_, ports)| *ports > 0);
    let mut words: Vec<String> =
        held.map(|(by, ports)| format!("{} {}", by.name().replace('_', " "), grouped(ports.into()))).collect();
    if group.outside > 0 {
        words.push(format!("from outside the range {}", grouped(group.outside.into())));
    }
    if group.held.time_wait() > 0 {
        words.push(format!("TIME_WAIT reusable: {}", group.reuse.words()));
    }
    words.join(", ")
}

fn spaces(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    let width = name_width(layout);
    let head = format!(
        "\n{:<width$}{:>12}{:>9}{:>10}{:>7}{:>8}{:>7}{:>7}",
        "network namespace", "range", "reserved", "listening", "bound", "marked", "shared", "by"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for space in observed.ports.spaces.iter().take(layout.top) {
        let range = space.range.map_or("?".into(), |range| format!("{}-{}", range.low, range.high));
        let _ = writeln!(
            out,
            "{:<width$}{range:>12}{:>9}{:>10}{:>7}{:>8}{:>7}{:>7}",
            fitted(&observed.netns_label(space.netns), width - 1),
            grouped(space.reserved.into()),
            grouped(space.listening.into()),
            count(space.bound.map(u64::from)),
            count(space.marked.map(u64::from)),
            grouped(space.shared.into()),
            grouped(space.most_shared.map_or(0, |(_, uses)| uses.into())),
        );
        if space.beyond > 0 {
            let words = format!("  {} more sockets were not read, so these are lower bounds", grouped(space.beyond));
            let _ = writeln!(out, "{}", theme.alarm(&words));
        }
    }
    let of = observed.ports.spaces.len();
    if of > layout.top {
        let _ = writeln!(out, "{}", theme.faint(&format!("{} more namespaces (--top)", of - layout.top)));
    }
}

/// The growth in ports per second.
pub(crate) fn growth(group: &Group) -> String {
    match group.growth {
        Some(growth) if growth.per_second < 0.0 => format!("-{}", magnitude(-growth.per_second)),
        Some(growth) => magnitude(growth.per_second),
        None => "?".into(),
    }
}

fn magnitude(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}") } else { grouped(per_second.round() as u64) }
}

fn name_width(layout: Layout) -> usize {
    layout.width.saturating_sub(60).clamp(20, 48)
}
