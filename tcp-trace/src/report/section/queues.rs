// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: listeners, their accept queues over time, and their drops.

use std::cmp::Reverse;

use super::{Block, Material, latency::short};
use crate::{
    aggregate::{listen::Endpoint, words::grouped},
    report::{
        chart::{Chart, clock, lines},
        column::{Column, Queue},
        table::Table,
    },
    view::{
        format::{count, duration, rate},
        listen::{details, name},
    },
};

/// Number of listeners in the chart: more lines would be indistinguishable.
const DRAWN: usize = 3;

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let listen = &material.summary.observed.listen;
    if listen.listeners.is_empty() {
        return Vec::new();
    }
    let mut blocks = Vec::new();
    let drawn = worst(material.columns);
    if !drawn.is_empty() {
        blocks.push(Block::Chart(Box::new(levels(material, &drawn))));
    }
    blocks.push(Block::Table(listeners(material)));
    if !listen.slow.is_empty() {
        blocks.push(Block::Table(slow(material)));
    }
    blocks
}

/// Listeners with most drops, then with the longest queue; none that was always empty.
fn worst(columns: &[Column]) -> Vec<Endpoint> {
    let mut all: Vec<(u64, u64, Endpoint)> = Vec::new();
    for queue in columns.iter().flat_map(|column| &column.listeners) {
        let (dropped, queued) = (queue.dropped.unwrap_or(0), queue.accept.map_or(0, |(queued, _)| queued));
        match all.iter_mut().find(|(.., endpoint)| *endpoint == queue.endpoint) {
            Some((drops, most, _)) => (*drops, *most) = (*drops + dropped, queued.max(*most)),
            None => all.push((dropped, queued, queue.endpoint)),
        }
    }
    all.retain(|(drops, most, _)| drops + most > 0);
    all.sort_by_key(|worse| Reverse(*worse));
    all.into_iter().take(DRAWN).map(|(.., endpoint)| endpoint).collect()
}

fn of(column: &Column, endpoint: Endpoint) -> Option<&Queue> {
    column.listeners.iter().find(|queue| queue.endpoint == endpoint)
}

fn levels(material: &Material<'_>, drawn: &[Endpoint]) -> Chart {
    let lines: Vec<_> = drawn
        .iter()
        .map(|endpoint| lines::Line {
            label: format!("waiting for accept() on {}", endpoint.address()),
            value: Box::new(|column| of(column, *endpoint)?.accept.map(|(queued, _)| queued as f64)),
        })
        .collect();
    let mut table = Table::new("Accept queues over time", &["until", "listener", "waiting#", "limit#", "dropped#"]);
    for (index, column) in material.columns.iter().enumerate() {
        for queue in drawn.iter().filter_map(|endpoint| of(column, *endpoint)) {
            let cells = [
                clock(column.end),
                queue.endpoint.address().to_string(),
                count(queue.accept.map(|(queued, _)| queued)),
                count(queue.accept.map(|(_, limit)| limit)),
                count(queue.dropped),
            ];
            table.push_at(material.axis().span(material.columns, index), cells);
        }
    }
    let most = |endpoint: &Endpoint| {
        let queues = material.columns.iter().filter_map(|column| of(column, *endpoint)?.accept);
        let (queued, limit) = queues.max().map_or((None, None), |(queued, limit)| (Some(queued), Some(limit)));
        format!("{} at most {} of {}", endpoint.address(), count(queued), count(limit))
    };
    let words: Vec<_> = drawn.iter().map(most).collect();
    Chart {
        id: "accept-queues".into(),
        title: "Accept queues over time".into(),
        words: words.join("; "),
        plots: vec![lines::plot(&material.axis(), material.columns, &lines, short)],
        x: material.axis().ticks(),
        legend: lines::legend(&lines),
        table,
    }
}

fn listeners(material: &Material<'_>) -> Table {
    let observed = &material.summary.observed;
    let heads =
        ["listener", "accept queue#", "most#", "SYN queue#", "most#", "in/s#", "accepted/s#", "dropped#", "cookies#"];
    let mut table = Table::new("Listeners, those with drops first", &heads);
    let per_second = |number| rate(number, observed.seconds);
    for listener in observed.listen.listeners.iter().take(material.top) {
        let (now, counts) = (listener.now, listener.counts);
        let details = details(observed, listener);
        let name = name(observed, listener);
        table.push([
            if details.is_empty() { name } else { format!("{name}: {details}") },
            now.map_or("?".into(), |now| format!("{}/{}", grouped(now.fullest), grouped(now.limit))),
            count(listener.accept_high),
            count(now.map(|now| now.syn_queue)),
            count(listener.syn_high),
            per_second(counts.map(|counts| counts.queued)),
            per_second(counts.and_then(|counts| counts.accepted())),
            count(counts.map(|counts| counts.dropped())),
            count(counts.map(|counts| counts.cookies)),
        ]);
    }
    let listen = &observed.listen;
    let more = listen.listeners.len().saturating_sub(material.top) as u64 + listen.beyond;
    if more > 0 { table.note(format!("{} more listeners (--top)", grouped(more))) } else { table }
}

fn slow(material: &Material<'_>) -> Table {
    let heads = ["who connected", "to the listener", "connects#", "SYN retransmits#", "longest#"];
    let mut table = Table::new("Handshakes of this machine that waited for one of these", &heads);
    for slow in material.summary.observed.listen.slow.iter().take(material.top) {
        table.push([
            format!("{} ({})", slow.caller.comm, slow.caller.pid),
            slow.listener.address().to_string(),
            grouped(slow.connects),
            grouped(slow.retransmits),
            duration(slow.max_ns),
        ]);
    }
    table
}
