// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line per path, `outermost;...;innermost weight`: the input of flame graph programs, and a baseline for later.

use std::fmt::Write as _;

use super::graph::{Drawn, Graph, Part};

/// All paths; frames of the kernel are marked as in perf(1)'s scripts.
pub fn folded(graph: &Graph) -> String {
    let mut text = String::new();
    for (frames, weight) in graph.lines() {
        let names: Vec<_> = frames.iter().map(name).collect();
        // Writing to a `String` never fails.
        let _ = writeln!(text, "{} {weight}", names.join(";"));
    }
    text
}

/// Replaces semicolons and line ends, which have a meaning in the format.
fn name(frame: &Drawn) -> String {
    let name = frame.name.replace(';', ":");
    if frame.part == Part::Kernel { name + "_[k]" } else { name }
}
