// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heaviest paths as text, for a terminal.

use std::fmt::Write as _;

use super::graph::{Drawn, Graph, Part};
use crate::view::format;

/// The `top` heaviest paths with their shares, and one line per note.
pub fn text(graph: &Graph, subtitle: &str, top: usize) -> String {
    let mut lines: Vec<_> = graph.lines().collect();
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let total: u64 = lines.iter().map(|(_, weight)| weight).sum();
    let mut text =
        format!("{}: {} {}\n{subtitle}\n", graph.weight.title(), format::count(Some(total)), graph.weight.unit());
    for (frames, weight) in lines.iter().take(top) {
        let share = 100.0 * *weight as f64 / total.max(1) as f64;
        // Writing to a `String` never fails.
        let _ = writeln!(text, "\n{share:5.1} %  {} {}", format::count(Some(*weight)), graph.weight.unit());
        for (depth, frame) in frames.iter().enumerate() {
            let _ = writeln!(text, "         {}{}", " ".repeat(depth.min(24)), label(frame));
        }
    }
    if lines.len() > top {
        let _ = writeln!(text, "\n{} more call paths: use --top, or --output connect.svg for all", lines.len() - top);
    }
    for note in &graph.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn label(frame: &Drawn) -> String {
    match (&frame.module, frame.part) {
        (_, Part::Kernel) => format!("{} [kernel]", frame.name),
        (Some(module), _) if !frame.name.starts_with(&format!("{module}+")) => format!("{} [{module}]", frame.name),
        _ => frame.name.to_string(),
    }
}
