// SPDX-License-Identifier: MIT OR Apache-2.0
//! Losses, the cost of tracing, the detail, and the ledger.

use std::fmt::Write;

use super::{
    format::{bytes, count, duration, share, signed, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::{ledger::Ledger, words::grouped},
    event::level::Level,
    model::accounts::Counts,
    summarize::summary::Summary,
};

/// Writes losses, cost, detail and ledger: two lines while all is well, in full with `-v` or where something was lost.
pub(super) fn ledger(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let _ = writeln!(out);
    let lost = summary.lost;
    let is_well = summary.ledger.counts.is_some()
        && lost.ring_buffer + lost.map_full + lost.missed == 0
        && summary.ledger.level == Level::Full;
    if is_well && !layout.verbose {
        in_short(out, theme, layout, summary);
        return;
    }
    let known = |number| count(summary.ledger.counts.map(|_| number));
    let words = format!(
        "lost: ring buffer {}, map full {}, missed {}",
        known(lost.ring_buffer),
        known(lost.map_full),
        known(lost.missed)
    );
    let any = lost.ring_buffer + lost.map_full + lost.missed > 0;
    let _ = writeln!(out, "{}", if any { theme.alarm(&words) } else { words });
    let ledger = &summary.ledger;
    let told = detail(ledger);
    for line in wrapped(&cost(ledger, summary.observed.seconds), layout.width) {
        let _ = writeln!(out, "{line}");
    }
    for line in wrapped(&told, layout.width) {
        let _ = writeln!(out, "{}", if ledger.level > Level::Full { theme.alarm(&line) } else { line });
    }
    for line in wrapped(&books(ledger), layout.width) {
        let _ = writeln!(out, "{line}");
    }
}

fn in_short(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let ledger = &summary.ledger;
    let spent = format!(
        "lost 0, missed 0  detail {}  cost {} of {}, {} per connect",
        ledger.level.name(),
        share(ledger.share(summary.observed.seconds)),
        ledger.machine(),
        duration(ledger.cost.programs.ns_per_connect()),
    );
    for line in [spent, books(ledger)].iter().flat_map(|words| wrapped(words, layout.width)) {
        let _ = writeln!(out, "{}", theme.faint(&line));
    }
}

/// The cost of tracing in words.
pub(crate) fn cost(ledger: &Ledger, seconds: f64) -> String {
    let cost = &ledger.cost;
    let mut words = format!(
        "cost: {} of {} (programs {}, agent {}), {} per connect in programs",
        share(ledger.share(seconds)),
        ledger.machine(),
        share(ledger.programs_share(seconds)),
        share(ledger.agent_share(seconds)),
        duration(cost.programs.ns_per_connect()),
    );
    if let Some(calibration) = ledger.calibration {
        let _ = write!(words, ", {} ns added", signed(calibration.ns));
        if let Some(instructions) = calibration.instructions {
            let _ = write!(words, " ({} instructions)", signed(instructions));
        }
    }
    let _ = write!(words, ", memory {} and {} in maps", bytes(ledger.resident_bytes), bytes(ledger.locked_bytes));
    words
}

/// The current detail in words.
pub(crate) fn detail(ledger: &Ledger) -> String {
    let mut words = format!("detail: {}", ledger.level.words());
    if let Some(bursts) = ledger.cost.bursts {
        let _ = write!(words, ", bursts of port probes {}", grouped(bursts));
    }
    let _ = write!(words, ", allowed {} of {}", share(Some(ledger.budget)), ledger.machine());
    words
}

/// The ledger in words.
pub(crate) fn books(ledger: &Ledger) -> String {
    let counts = ledger.counts.as_ref();
    let counted = |of: fn(&Counts) -> u64| counts.map(of);
    let made = count(counted(|counts| counts.made));
    let mut words = format!("ledger: made {made} = delivered {}", grouped(ledger.delivered));
    let parts = [
        ("undecoded", counted(|counts| counts.undecoded)),
        ("in flight", ledger.in_flight()),
        ("totals only", counted(|counts| counts.summed)),
        ("shed", counted(|counts| counts.shed)),
        ("lost", counted(|counts| counts.ring_full)),
    ];
    for (name, number) in parts {
        // Shed and lost are always shown, because readers look for them.
        if number.is_some_and(|number| number > 0) || matches!(name, "shed" | "lost") {
            let _ = write!(words, " + {name} {}", count(number));
        }
    }
    let _ = write!(words, "; not followed {}", count(counted(|counts| counts.not_followed)));
    if ledger.pending.is_some() {
        let _ = write!(words, ", pending {}", count(ledger.pending));
    }
    words
}
