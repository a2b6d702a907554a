// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: phases, connects over time, and a heat map of each distribution.

use super::{Block, Material};
use crate::{
    aggregate::{distribution::Distribution, words::grouped},
    report::{
        chart::{Chart, clock, heat, lines},
        column::Column,
        table::Table,
    },
    view::format::{count, duration, percent},
};

/// Formats a value.
type Unit = fn(Option<u64>) -> String;

/// Names of [`Column::spreads`], with their units.
const SPREADS: [(&str, &str, Unit); 4] = [
    ("search", "Port search", duration),
    ("handshake", "Handshake", duration),
    ("total", "Whole connect()", duration),
    ("visited", "Ports visited", count),
];

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    if !material.summary.traced || material.summary.observed.connect.connects == 0 {
        return Vec::new();
    }
    let mut blocks = vec![Block::Table(phases(material)), Block::Chart(Box::new(rate(material)))];
    let heats = (0..SPREADS.len()).filter_map(|which| heat_map(material, which));
    blocks.extend(heats.map(|chart| Block::Chart(Box::new(chart))));
    blocks
}

fn distributions<'a>(material: &Material<'a>) -> [&'a Distribution; 4] {
    let connect = &material.summary.observed.connect;
    [&connect.port_search, &connect.handshake, &connect.total, &connect.ports_visited]
}

fn phases(material: &Material<'_>) -> Table {
    let mut table =
        Table::new("Phases of the whole run", &["phase", "known of#", "median#", "p90#", "p99#", "largest#"]);
    for ((_, name, unit), of) in SPREADS.iter().zip(distributions(material)) {
        let [p50, p90, p99, max] = [of.p50, of.p90, of.p99, of.max].map(unit);
        table.push([(*name).into(), grouped(of.count), p50, p90, p99, max]);
    }
    table
}

fn rate(material: &Material<'_>) -> Chart {
    let per_second = |number: u64, column: &Column| (column.seconds > 0.0).then(|| number as f64 / column.seconds);
    let lines = [
        lines::Line { label: "connects per second".into(), value: Box::new(move |c| per_second(c.connects, c)) },
        lines::Line { label: "of these, failed".into(), value: Box::new(move |c| per_second(c.failed, c)) },
        lines::Line {
            label: "of these, past the first half of the range".into(),
            value: Box::new(move |c| per_second(c.second_pass, c).filter(|_| c.second_pass_known > 0)),
        },
    ];
    let mut table = Table::new("Connects over time", &["until", "connects#", "failed#", "past the first half#"]);
    for (index, column) in material.columns.iter().enumerate() {
        let second = count((column.second_pass_known > 0).then_some(column.second_pass));
        let cells = [clock(column.end), grouped(column.connects), grouped(column.failed), second];
        table.push_at(material.axis().span(material.columns, index), cells);
    }
    let connect = &material.summary.observed.connect;
    let failed: u64 = material.columns.iter().map(|column| column.failed).sum();
    Chart {
        id: "connects".into(),
        title: "Connects over time".into(),
        words: format!(
            "{} in all; {} failed; of {} searches {} went past the first half of the range",
            grouped(connect.connects),
            grouped(failed),
            grouped(connect.second_pass_known),
            percent(connect.second_pass, connect.second_pass_known),
        ),
        plots: vec![lines::plot(&material.axis(), material.columns, &lines, short)],
        x: material.axis().ticks(),
        legend: lines::legend(&lines),
        table,
    }
}

fn heat_map(material: &Material<'_>, which: usize) -> Option<Chart> {
    let (id, name, unit) = SPREADS[which];
    let (plot, legend) =
        heat::plot(&material.axis(), material.columns, |column| &column.spreads[which], |value| unit(Some(value)))?;
    let whole = distributions(material)[which];
    let mut table =
        Table::new(format!("{name} over time"), &["until", "connects#", "half within#", "99 % within#", "largest#"]);
    for (index, column) in material.columns.iter().enumerate() {
        let spread = &column.spreads[which];
        let within = |share| match spread.quantile(share) {
            Some(bucket) if bucket.low >= bucket.high => unit(Some(bucket.low)),
            Some(bucket) => format!("{} to {}", unit(Some(bucket.low)), unit(Some(bucket.high))),
            None => "?".into(),
        };
        let cells = [clock(column.end), grouped(spread.count()), within(0.5), within(0.99), unit(spread.max)];
        table.push_at(material.axis().span(material.columns, index), cells);
    }
    Some(Chart {
        id: format!("heat-{id}"),
        title: format!("{name} over time"),
        words: format!(
            "one row per power of two, darker for more connects; median {}, 99th percentile {}, largest {}",
            unit(whole.p50),
            unit(whole.p99),
            unit(whole.max),
        ),
        plots: vec![plot],
        x: material.axis().ticks(),
        legend,
        table,
    })
}

/// Formats a number as `1,200`, or `0.4` if it is small.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || value >= 10.0 { grouped(value.round() as u64) } else { format!("{value:.1}") }
}
