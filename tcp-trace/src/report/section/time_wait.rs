// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: TIME_WAIT over time, by namespace, and by owner.

use super::{Block, Material, latency::short};
use crate::{
    model::peer::owner,
    report::{
        chart::{Chart, clock, lines},
        table::Table,
    },
    view::format::{count, rate},
};

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let observed = &material.summary.observed;
    if observed.time_wait.is_empty() {
        return Vec::new();
    }
    let mut blocks = Vec::new();
    if material.columns.iter().any(|column| column.time_wait.is_some()) {
        blocks.push(Block::Chart(Box::new(levels(material))));
    }
    blocks.push(Block::Table(spaces(material)));
    if !observed.time_wait_owners.is_empty() {
        blocks.push(Block::Table(owners(material)));
    }
    blocks
}

fn levels(material: &Material<'_>) -> Chart {
    let lines = [lines::Line {
        label: "in TIME_WAIT, all namespaces".into(),
        value: Box::new(|column| column.time_wait.map(|level| level as f64)),
    }];
    let mut table = Table::new("TIME_WAIT over time", &["until", "in TIME_WAIT#", "new#"]);
    for (index, column) in material.columns.iter().enumerate() {
        let cells = [clock(column.end), count(column.time_wait), count(column.time_wait_entered)];
        table.push_at(material.axis().span(material.columns, index), cells);
    }
    let known = || material.columns.iter().filter_map(|column| column.time_wait);
    Chart {
        id: "time-wait-level".into(),
        title: "TIME_WAIT over time".into(),
        words: format!(
            "{} at the start, {} at the end, {} at most",
            count(known().next()),
            count(known().next_back()),
            count(known().max())
        ),
        plots: vec![lines::plot(&material.axis(), material.columns, &lines, short)],
        x: material.axis().ticks(),
        legend: lines::legend(&lines),
        table,
    }
}

fn spaces(material: &Material<'_>) -> Table {
    let observed = &material.summary.observed;
    let heads = [
        "network namespace",
        "now#",
        "at most#",
        "in/s#",
        "expired/s#",
        "reused/s#",
        "by SYN/s#",
        "reset/s#",
        "overflow/s#",
    ];
    let mut table = Table::new("TIME_WAIT by network namespace", &heads);
    let mut spaces: Vec<_> = observed.time_wait.iter().collect();
    spaces.sort_by_key(|(netns, totals)| (std::cmp::Reverse(totals.level), **netns));
    let per_second = |number| rate(number, observed.seconds);
    for (netns, totals) in spaces.into_iter().take(material.top) {
        table.push([
            observed.netns_label(*netns),
            count(totals.level),
            count(totals.max_buckets),
            per_second(totals.entered),
            per_second(totals.expired),
            per_second(totals.reused),
            per_second(totals.by_syn),
            per_second(totals.reset),
            per_second(totals.overflow),
        ]);
    }
    table
}

fn owners(material: &Material<'_>) -> Table {
    let observed = &material.summary.observed;
    let heads = ["closed first", "with", "now#", "in/s#", "out/s#", "reused/s#", "overflow/s#"];
    let mut table = Table::new("TIME_WAIT by who closed first", &heads);
    let per_second = |number| rate(Some(number), observed.seconds);
    for row in observed.time_wait_owners.iter().take(material.top) {
        table.push([
            owner(&row.peer, &row.who),
            row.peer.to_string(),
            count(row.level),
            per_second(row.entered),
            per_second(row.left()),
            per_second(row.reused),
            per_second(row.overflow),
        ]);
    }
    table.note("<- is a service on this machine: its TIME_WAIT takes no port of the range")
}
