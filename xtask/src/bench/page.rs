// SPDX-License-Identifier: MIT OR Apache-2.0
//! docs/benchmarks.md and docs/benchmarks.json.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::figures::{Figures, Row};
use crate::workspace::root;

/// From here on the page is written by hand, and kept.
const BY_HAND: &str = "## What we learned";

pub fn write(figures: &Figures) -> Result<()> {
    let folder = root().join("docs");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("benchmarks.json"), serde_json::to_string_pretty(figures)? + "\n")?;
    let path = folder.join("benchmarks.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = before.find(BY_HAND).map_or(BY_HAND, |at| &before[at..]);
    fs::write(&path, format!("{}\n{}\n", tables(figures), by_hand.trim_end()))?;
    println!("{}: written", path.display());
    Ok(())
}

pub fn tables(figures: &Figures) -> String {
    let mut text = String::new();
    for guest in &figures.guests {
        let mut stage = None;
        for row in &guest.rows {
            if stage.replace((row.family, row.fill)) != Some((row.family, row.fill)) {
                let _ = writeln!(
                    text,
                    "\n### {}, IPv{}, {} % of the ports taken\n\n\
                     | mode | median | of untraced | busy | of untraced | start | lines |\n|---|---:|---:|---:|---:|---:|---:|",
                    guest.release, row.family, row.fill
                );
            }
            let _ = writeln!(text, "{}", line(row));
        }
    }
    text
}

fn line(row: &Row) -> String {
    match &row.figures {
        Ok(cost) => {
            let or_nothing = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
            format!(
                "| {} | {} | {:.4} | {} | {:.4} | {} | {} |",
                row.mode,
                cost.median,
                cost.median_ratio,
                cost.busy,
                cost.busy_ratio,
                or_nothing(cost.start),
                or_nothing(cost.lines)
            )
        }
        Err(why) => format!("| {} | not run: {why} | | | | | |", row.mode),
    }
}
