// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: the ranges, how full they are, by what, how far from the cliff, and a picture over time of the fullest.

use std::net::SocketAddr;

use super::{Block, Material};
use crate::{
    aggregate::{
        ports::{Effort, Group, Route, held::By, range::Range},
        words::grouped,
    },
    report::{
        chart::{Chart, bars, clock, range},
        column::Fill,
        table::Table,
    },
    view::{
        format::{count, percent, span},
        ports::{by_what, growth, whose},
    },
};

/// Upper limit of pictures, of ranges with at least 1 % taken at some time.
const PICTURES: usize = 3;

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let ports = &material.summary.observed.ports;
    if ports.effort == Effort::default() {
        return Vec::new();
    }
    let mut blocks = Vec::new();
    let pictures = fullest(material);
    for (index, (route, range)) in pictures.iter().enumerate() {
        blocks.push(Block::Chart(Box::new(picture(material, index, *route, *range))));
        let group = ports.groups.iter().find(|group| (group.route, group.range) == (*route, *range));
        blocks.extend(group.map(|group| Block::Bar(taken_by(material, group))));
    }
    if pictures.is_empty() {
        blocks.push(Block::Words("No destination has 1 % of its range taken: none is near the cliff.".into()));
    }
    if !ports.groups.is_empty() {
        blocks.push(Block::Table(edge(material)));
    }
    blocks.push(Block::Table(spaces(material)));
    blocks
}

/// Ranges by the maximum of taken ports.
fn fullest(material: &Material<'_>) -> Vec<(Route, Range)> {
    let mut most: Vec<(f64, Route, Range)> = Vec::new();
    for fill in material.columns.iter().flat_map(|column| &column.ranges) {
        let share = f64::from(fill.taken[0] + fill.taken[1]) / f64::from(fill.range.ports());
        match most.iter_mut().find(|(_, route, range)| (*route, *range) == (fill.route, fill.range)) {
            Some((most, ..)) => *most = most.max(share),
            None => most.push((share, fill.route, fill.range)),
        }
    }
    most.retain(|(share, ..)| *share >= 0.01);
    most.sort_by(|(a, route, _), (b, other, _)| b.total_cmp(a).then(route.cmp(other)));
    most.truncate(PICTURES);
    most.into_iter().map(|(_, route, range)| (route, range)).collect()
}

fn towards(route: Route) -> String {
    format!("{} -> {}", route.saddr, SocketAddr::new(route.daddr, route.dport))
}

fn picture(material: &Material<'_>, index: usize, route: Route, of: Range) -> Chart {
    let mut table = Table::new(
        format!("Ports taken, {}", towards(route)),
        &["until", "taken#", "of the first half#", "of the other#", "connects to the cliff#"],
    );
    let mut most: Option<&Fill> = None;
    for (at, column) in material.columns.iter().enumerate() {
        let fill = range::fill(column, route, of);
        let cells = match fill {
            Some(fill) => [
                clock(column.end),
                grouped((fill.taken[0] + fill.taken[1]).into()),
                grouped(fill.taken[0].into()),
                grouped(fill.taken[1].into()),
                fill.to_cliff.map_or("none".into(), |connects| grouped(connects.into())),
            ],
            None => [clock(column.end), "?".into(), "?".into(), "?".into(), "?".into()],
        };
        table.push_at(material.axis().span(material.columns, at), cells);
        let taken = |fill: &Fill| fill.taken[0] + fill.taken[1];
        if fill.is_some_and(|fill| most.is_none_or(|most| taken(fill) > taken(most))) {
            most = fill;
        }
    }
    let halves = of.halves();
    let most = most.map_or([0, 0], |fill| fill.taken);
    let second = if of.one_pass {
        String::new()
    } else {
        format!(", {} of the {}", percent(most[1].into(), halves.second.into()), of.second_parity())
    };
    Chart {
        id: format!("range-{index}"),
        title: format!("The range {}-{} over time, {}", of.low, of.high, towards(route)),
        words: format!(
            "netns {}; low ports at the bottom; at its fullest {} of the {}{second}",
            material.summary.observed.netns_label(route.netns),
            percent(most[0].into(), halves.first.into()),
            of.first_parity(),
        ),
        plots: range::plots(&material.axis(), material.columns, route, of),
        x: material.axis().ticks(),
        legend: range::legend(),
        table,
    }
}

fn taken_by(material: &Material<'_>, group: &Group) -> bars::Bar {
    let of = group.range.ports();
    let parts: Vec<_> = By::ALL
        .into_iter()
        .map(|by| {
            let ports = u64::from(group.held.by(by).both());
            let name = by.name().replace('_', " ");
            (by.name(), ports, format!("{name} {} ({})", grouped(ports), percent(ports, of.into())))
        })
        .collect();
    let words = format!("At the end: {}; {}", whose(&material.summary.observed, group), by_what(group));
    bars::bar(words, &parts, of.into())
}

fn edge(material: &Material<'_>) -> Table {
    let observed = &material.summary.observed;
    let heads = ["from -> to", "taken#", "first half#", "to the cliff#", "in#", "to the end#", "in#", "ports/s#"];
    let mut table = Table::new("Distance to the cliff, fewest free ports first", &heads);
    for group in observed.ports.groups.iter().take(material.top) {
        let (taken, halves) = (group.held.taken(), group.range.halves());
        table.push([
            whose(observed, group),
            format!("{} ({})", grouped(taken.both().into()), percent(taken.both().into(), group.range.ports().into())),
            format!("{}/{}", grouped(taken.first.into()), grouped(halves.first.into())),
            group.held.to_cliff(group.range).map_or("none".into(), |connects| grouped(connects.into())),
            span(group.seconds_to_cliff()),
            grouped(group.held.to_exhaustion(group.range).into()),
            span(group.seconds_to_exhaustion()),
            growth(group),
        ]);
    }
    let more = observed.ports.groups.len().saturating_sub(material.top) as u64 + observed.ports.more_groups;
    if more > 0 { table.note(format!("{} more sources and destinations", grouped(more))) } else { table }
}

fn spaces(material: &Material<'_>) -> Table {
    let observed = &material.summary.observed;
    let heads = ["network namespace", "range#", "reserved#", "listening#", "bound#", "marked#", "shared#"];
    let mut table = Table::new("Ports of the range that no connect() can use, or that several share", &heads);
    for space in observed.ports.spaces.iter().take(material.top) {
        table.push([
            observed.netns_label(space.netns),
            space.range.map_or("?".into(), |range| format!("{}-{}", range.low, range.high)),
            grouped(space.reserved.into()),
            grouped(space.listening.into()),
            count(space.bound.map(u64::from)),
            count(space.marked.map(u64::from)),
            grouped(space.shared.into()),
        ]);
        if space.beyond > 0 {
            let words = format!("{} more sockets were not read, so these are lower bounds", grouped(space.beyond));
            table.notes.push(format!("{}: {words}", space.netns));
        }
    }
    table
}
