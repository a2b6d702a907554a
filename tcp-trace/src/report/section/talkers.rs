// SPDX-License-Identifier: MIT OR Apache-2.0
//! The worst processes and destinations.

use std::net::SocketAddr;

use super::{Block, Material};
use crate::{
    aggregate::{tally::Tally, words::grouped},
    report::table::Table,
    view::{
        connect::told_in_part,
        format::{count, duration, harmless},
    },
};

const HEADS: [&str; 8] = [
    "connects#",
    "failed#",
    "no port#",
    "second half#",
    "visited, mean#",
    "visited, most#",
    "search, mean#",
    "search, longest#",
];

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let connect = &material.summary.observed.connect;
    if connect.destinations.is_empty() {
        return Vec::new();
    }
    let mut processes = table("Processes, worst first", "process");
    for row in connect.processes.iter().take(material.top) {
        let name = format!("{} ({})", harmless(&row.key.comm), row.key.pid);
        processes.push(cells(name, &row.value, row.at_least));
    }
    let mut destinations = table("Destinations, worst first", "destination");
    for row in connect.destinations.iter().take(material.top) {
        let netns = material.summary.observed.netns_label(row.key.netns);
        let name = format!("{}, netns {netns}", SocketAddr::new(row.key.daddr, row.key.dport));
        destinations.push(cells(name, &row.value, row.at_least));
    }
    destinations.notes.extend(told_in_part(material.summary));
    let beyond = |rows: usize| rows.saturating_sub(material.top);
    for (table, rows) in [(&mut processes, connect.processes.len()), (&mut destinations, connect.destinations.len())] {
        if beyond(rows) > 0 {
            table.notes.push(format!("{} more (--top)", beyond(rows)));
        }
    }
    vec![Block::Table(destinations), Block::Table(processes)]
}

fn table(caption: &str, of: &'static str) -> Table {
    let heads: Vec<_> = std::iter::once(of).chain(HEADS).collect();
    Table::new(caption, &heads)
}

fn cells(name: String, tally: &Tally, at_least: bool) -> [String; 9] {
    let known = |sum: &crate::aggregate::tally::Sum| (sum.known > 0).then_some(sum.max);
    [
        name,
        format!("{}{}", if at_least { ">= " } else { "" }, grouped(tally.connects)),
        grouped(tally.failures),
        grouped(tally.no_port),
        count((tally.second_pass_known > 0).then_some(tally.second_pass)),
        count(tally.visited.mean()),
        count(known(&tally.visited)),
        duration(tally.search_ns.mean()),
        duration(known(&tally.search_ns)),
    ]
}
