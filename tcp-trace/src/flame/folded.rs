// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line a path, `outermost;...;innermost weight`: what every flame graph program reads, and a baseline for later.

use std::fmt::Write as _;

use super::graph::{Drawn, Graph, Part};

/// All of it; frames of the kernel are marked as perf(1)'s scripts mark them.
pub fn folded(graph: &Graph) -> String {
    let mut text = String::new();
    for (frames, weight) in graph.lines() {
        let names: Vec<_> = frames.iter().map(name).collect();
        // A `String` takes every write.
        let _ = writeln!(text, "{} {weight}", names.join(";"));
    }
    text
}

/// Semicolons mean something here.
fn name(frame: &Drawn) -> String {
    let name = frame.name.replace(';', ":");
    if frame.part == Part::Kernel { name + "_[k]" } else { name }
}
