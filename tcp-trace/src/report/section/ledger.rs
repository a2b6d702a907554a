// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: the ledger, with what was made, delivered, shed and lost, and the cost of tracing.

use super::{Block, Material};
use crate::{
    aggregate::words::grouped,
    event::Lost,
    model::accounts::Counts,
    report::{
        chart::{Chart, clock, lines},
        table::Table,
    },
    view::{
        format::{count, share},
        ledger::{cost, detail},
    },
};

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let summary = material.summary;
    if !summary.traced {
        return Vec::new();
    }
    let ledger = &summary.ledger;
    let mut blocks = vec![
        Block::Words(cost(ledger, summary.observed.seconds)),
        Block::Words(detail(ledger)),
        Block::Table(books(material)),
    ];
    if material.columns.iter().any(|column| column.cost.is_some()) {
        blocks.push(Block::Chart(Box::new(spent(material))));
    }
    blocks
}

fn books(material: &Material<'_>) -> Table {
    let (ledger, lost) = (&material.summary.ledger, material.summary.lost);
    let counts = ledger.counts.as_ref();
    let counted = |of: fn(&Counts) -> u64| counts.map(of);
    let lost_of = |of: fn(&Lost) -> u64| counts.map(|_| of(&lost));
    let caption = "Attempts: made = delivered + undecoded + in flight + totals only + shed + lost in the ring buffer";
    let mut table = Table::new(caption, &["what", "how many#"]);
    let rows = [
        ("made: connects that were followed and ended", counted(|counts| counts.made)),
        ("delivered", Some(ledger.delivered)),
        ("undecoded", counted(|counts| counts.undecoded)),
        ("in flight", ledger.in_flight()),
        ("totals only: no event per connect was requested", counted(|counts| counts.summed)),
        ("shed: in the totals, but no event was sent", counted(|counts| counts.shed)),
        ("lost in the ring buffer: in the totals, but the buffer was full", counted(|counts| counts.ring_full)),
        ("not followed: counted only", counted(|counts| counts.not_followed)),
        ("pending at the end", ledger.pending),
        ("events of other signals delivered", Some(ledger.signals_delivered)),
        ("runs of programs missed", counts.and_then(|counts| counts.runs_missed)),
        ("kprobes missed", counts.and_then(|counts| counts.kprobes_missed)),
        ("lost: ring buffer, all signals", lost_of(|lost| lost.ring_buffer)),
        ("lost: map full", lost_of(|lost| lost.map_full)),
        ("lost: returns and runs missed", lost_of(|lost| lost.missed)),
    ];
    rows.into_iter().for_each(|(what, number)| table.push([what.into(), count(number)]));
    table
}

fn spent(material: &Material<'_>) -> Chart {
    let lines = [lines::Line {
        label: "programs and agent, percent of the machine".into(),
        value: Box::new(|column| column.cost.map(|share| share * 100.0)),
    }];
    let mut table = Table::new("Cost of tracing over time", &["until", "share of the machine#", "connects#"]);
    for (index, column) in material.columns.iter().enumerate() {
        let cells = [clock(column.end), share(column.cost), grouped(column.connects)];
        table.push_at(material.axis().span(material.columns, index), cells);
    }
    let ledger = &material.summary.ledger;
    Chart {
        id: "cost".into(),
        title: "Cost of tracing over time".into(),
        words: format!(
            "{} of {} over the whole run, {} allowed",
            share(ledger.share(material.summary.observed.seconds)),
            ledger.machine(),
            share(Some(ledger.budget))
        ),
        plots: vec![lines::plot(&material.axis(), material.columns, &lines, |percent| format!("{percent:.1} %"))],
        x: material.axis().ticks(),
        legend: lines::legend(&lines),
        table,
    }
}
