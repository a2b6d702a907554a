// SPDX-License-Identifier: MIT OR Apache-2.0
//! Figures as tables for people.

use std::fmt::Write as _;

use super::{
    bounds::{Measure, Verdict},
    figures::{Cost, Figures, Guest, Row},
    modes::{DEFAULTS, LEFT_OUT, UNTRACED},
    scale::Scale,
};

/// All tables.
pub fn all(figures: &Figures) -> String {
    let mut text = String::new();
    for guest in &figures.guests {
        for family in [4, 6] {
            ratios(&mut text, guest, family);
        }
    }
    by_destinations(&mut text, figures);
    details(&mut text, figures);
    verdicts(&mut text, &figures.bounds);
    native(&mut text, figures);
    scale(&mut text, figures);
    not_run(&mut text, figures);
    text
}

/// Modes by fillings, untraced = 1.
fn ratios(text: &mut String, guest: &Guest, family: u32) {
    let rows: Vec<_> = guest.rows.iter().filter(|row| row.family == family && row.destinations == 1).collect();
    let mut fills: Vec<_> = rows.iter().map(|row| row.fill).collect();
    fills.dedup();
    if rows.is_empty() {
        return;
    }
    let heads: String = fills
        .iter()
        .map(|fill| format!(" {fill} % |{}", if *fill == 0 { " 0 %, busy | 0 %, whole |" } else { "" }))
        .collect();
    let _ = writeln!(
        text,
        "\n### {}, IPv{family}\n\n| |{heads}\n|---|{}",
        guest.release,
        "---:|".repeat(heads.matches('|').count())
    );
    for mode in modes(&rows) {
        let _ = write!(text, "| {mode} |");
        for fill in &fills {
            let cost = rows.iter().find(|row| row.fill == *fill && row.mode == mode).and_then(|row| row.cost.as_ref());
            let _ = write!(text, " {} |", cell(cost, |cost| cost.median_ratio));
            if *fill == 0 {
                let _ = write!(text, " {} |", cell(cost, |cost| cost.busy_ratio));
                let _ = write!(text, " {} |", cell(cost, |cost| cost.whole_ratio));
            }
        }
        text.push('\n');
    }
}

/// Modes in the order of their first appearance.
fn modes<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
    let mut modes: Vec<&str> = Vec::new();
    for row in rows {
        if !modes.contains(&row.mode.as_str()) {
            modes.push(&row.mode);
        }
    }
    modes
}

fn cell(cost: Option<&Cost>, ratio: impl Fn(&Cost) -> f64) -> String {
    cost.map_or_else(String::new, |cost| format!("{:.4}", ratio(cost)))
}

/// Cost per connect with 1, 1,000 and 100,000 destinations, including the tracer's share, with all ports free.
fn by_destinations(text: &mut String, figures: &Figures) {
    let _ = writeln!(
        text,
        "\n### By number of destinations, IPv4, all ports free\n\n\
         | kernel | destinations | connects | | median connect() | busy, instructions a connect | untraced = 1 |\n\
         |---|---:|---:|---|---:|---:|---:|"
    );
    let is_of = |row: &&Row| row.family == 4 && row.fill == 0 && [UNTRACED, DEFAULTS].contains(&row.mode.as_str());
    for guest in &figures.guests {
        for row in guest.rows.iter().filter(is_of) {
            let Some(cost) = &row.cost else { continue };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.4} |",
                guest.line,
                thousands(row.destinations.into()),
                thousands(cost.connects.into()),
                row.mode,
                thousands(cost.median),
                thousands(cost.busy / u64::from(cost.connects)),
                cost.busy_ratio,
            );
        }
    }
}

/// Instructions behind the ratios, IPv4 only.
fn details(text: &mut String, figures: &Figures) {
    let _ = writeln!(
        text,
        "\n### In instructions, IPv4\n\n\
         | kernel | taken | | connects | median connect() | 99th percentile | busy | of these the tracer itself | lines it wrote | to start it | to end it |\n\
         |---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    for guest in &figures.guests {
        for row in guest.rows.iter().filter(|row| row.family == 4 && row.destinations == 1) {
            let Some(cost) = &row.cost else { continue };
            let (agent, lines, start, stop) = cost.tracer.as_ref().map_or_else(Default::default, |tracer| {
                (thousands(tracer.agent), thousands(tracer.lines), thousands(tracer.start), thousands(tracer.stop))
            });
            let _ = writeln!(
                text,
                "| {} | {} % | {} | {} | {} | {} | {} | {agent} | {lines} | {start} | {stop} |",
                guest.line,
                row.fill,
                row.mode,
                thousands(cost.connects.into()),
                thousands(cost.median),
                thousands(cost.p99),
                thousands(cost.busy),
            );
        }
    }
}

fn verdicts(text: &mut String, verdicts: &[Verdict]) {
    text.push_str("\n### Bounds\n\n| kernel | | taken | tracing with | what | measured | at most | met | hoped for |\n|---|---|---:|---|---|---:|---:|---|---|\n");
    for Verdict { kernel, family, fill, mode, measure, ratio, at_most, stretch, met } in verdicts {
        let what = match measure {
            Measure::Median => "median connect()",
            Measure::Busy => "busy guest",
            Measure::Whole => "whole guest",
        };
        let measured = ratio.map_or_else(|| "?".to_owned(), |ratio| format!("{ratio:.4}"));
        let hoped = stretch.map_or_else(String::new, |stretch| {
            let reached = ratio.is_some_and(|ratio| ratio <= stretch);
            format!("{stretch}: {}", if reached { "reached" } else { "not reached" })
        });
        let met = if *met { "yes" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {kernel} | IPv{family} | {fill} % | {mode} | {what} | {measured} | {at_most} | {met} | {hoped} |"
        );
    }
}

fn native(text: &mut String, figures: &Figures) {
    if figures.native.is_empty() {
        return;
    }
    text.push_str("\n### User space, natively\n\n| | measured | must be | met |\n|---|---:|---|---|\n");
    for native in &figures.native {
        let met = native.met.map_or("", |met| if met { "yes" } else { "**no**" });
        let bound = native.bound.as_deref().unwrap_or_default();
        let measured = native.value.map_or_else(|| "not run".to_owned(), |value| format!("{value} {}", native.unit));
        let _ = writeln!(text, "| {} | {measured} | {bound} | {met} |", native.name);
    }
}

/// The table of larger machines.
fn scale(text: &mut String, figures: &Figures) {
    text.push_str(
        "\n### Larger machines, by simulation\n\n\
         xtask/src/bench/scale.rs: the rows of the kernel side and the agent's two generations, an interval of one second, \
         the fourth of them. That adding to a row takes 150 ns, and 100 ns more for each of eight lines that another CPU had \
         last, is assumed.\n\n\
         | CPUs | connects/s | destinations | how they are met | in the remainder | exact rows, from the heaviest on | \
         to find the row, instructions a connect | to add to it, ns a connect | busiest row, share of the time | \
         to read all of an interval, ms | memory of the maps, MiB |\n\
         |---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for scale in &figures.scale {
        let Scale { cpus, connects_per_second, destinations, spread, in_remainder, exact_from_heaviest, .. } = scale;
        let Scale { finding_instructions, adding_ns, busiest_row, drain_ms, memory_mib, .. } = scale;
        let _ = writeln!(
            text,
            "| {cpus} | {} | {} | {spread} | {:.2} % | {exact_from_heaviest} | {finding_instructions} | {adding_ns} | \
             {:.1} % | {drain_ms} | {memory_mib} |",
            thousands((*connects_per_second).into()),
            thousands((*destinations).into()),
            in_remainder * 100.0,
            busiest_row * 100.0,
        );
    }
}

fn not_run(text: &mut String, figures: &Figures) {
    let rows = figures.guests.iter().flat_map(|guest| guest.rows.iter().map(move |row| (guest, row)));
    let lines: Vec<_> = rows
        .filter_map(|(guest, row)| {
            let why = row.not_run.as_ref()?;
            let Row { family, fill, destinations, ref mode, .. } = *row;
            Some(format!("- {}, IPv{family}, {fill} %, to {destinations}: {mode}: {why}\n", guest.line))
        })
        .collect();
    let _ = write!(text, "\n### Not run\n\n{}", lines.concat());
    for (peer, why) in LEFT_OUT {
        let _ = writeln!(text, "- {peer}: {why}");
    }
}

/// Formats a number as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
