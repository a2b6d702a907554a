// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: the worst programs and destinations.

use std::net::SocketAddr;

use super::{Block, Material};
use crate::{
    aggregate::{
        connect::{self, Estimate},
        tally::Tally,
        words::grouped,
    },
    model::folded::FoldedSpread,
    report::table::Table,
    view::{
        connect::told_in_part,
        format::{count, duration},
        screen::ABOUT,
        table::program,
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
    let estimate = connect.estimate();
    let mut programs = table("Programs, worst first", "program");
    for row in connect.programs.iter().take(material.top) {
        programs.push(cells(program(connect, &row.key, &row.value), &row.value, row.at_least, estimate));
    }
    let mut destinations = table("Destinations, worst first", "destination");
    for row in connect.destinations.iter().take(material.top) {
        let netns = material.summary.observed.netns_label(row.key.netns);
        let name = format!("{}, netns {netns}", SocketAddr::new(row.key.daddr, row.key.dport));
        destinations.push(cells(name, &row.value, row.at_least, estimate));
    }
    destinations.notes.extend(told_in_part(material.summary, ABOUT));
    let others = [
        (&mut programs, connect::beyond(&connect.programs, &connect.other.programs, material.top)),
        (&mut destinations, connect::beyond(&connect.destinations, &connect.other.destinations, material.top)),
    ];
    for (table, (left_out, tally)) in others {
        if tally.connects > 0 {
            table.push(cells("(all others)".into(), &tally, false, estimate));
        }
        if left_out > 0 {
            table.notes.push(format!("{left_out} more (--top)"));
        }
    }
    vec![Block::Table(destinations), Block::Table(programs)]
}

fn table(caption: &str, of: &'static str) -> Table {
    let heads: Vec<_> = std::iter::once(of).chain(HEADS).collect();
    Table::new(caption, &heads)
}

fn cells(name: String, tally: &Tally, at_least: bool, estimate: Option<Estimate>) -> [String; 9] {
    let known = |sum: &FoldedSpread| (sum.known > 0).then_some(sum.max);
    // In a sample, each count represents several attempts.
    let about = |count: u64| match estimate {
        Some(estimate) => format!("{ABOUT}{}", grouped(estimate.of(count))),
        None => grouped(count),
    };
    [
        name,
        format!("{}{}", if at_least { ">= " } else { "" }, about(tally.connects)),
        about(tally.failures),
        about(tally.no_port),
        (tally.second_pass_known > 0).then_some(tally.second_pass).map_or("?".to_owned(), about),
        count(tally.visited.mean()),
        count(known(&tally.visited)),
        duration(tally.search_ns.mean()),
        duration(known(&tally.search_ns)),
    ]
}
