// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes since a baseline: the width is the present weight, red grew, blue shrank.

use std::io;

use inferno::differential::{self, Options};

use super::{folded::folded, graph::Graph, svg};
use crate::outside;

/// Lines `path before now`; `before` is scaled to the same sum, so that runs of different length or load can be
/// compared.
///
/// # Errors
/// When the baseline is not folded stacks.
pub fn lines(graph: &Graph, baseline: &[u8]) -> io::Result<String> {
    let mut both = Vec::new();
    let (before, now) = (String::from_utf8_lossy(baseline), folded(graph));
    // Any user may have written the file, and its names are part of the picture.
    let before = before.split('\n').map(outside::one_line).collect::<Vec<_>>().join("\n");
    let options = Options { normalize: true, ..Options::default() };
    differential::from_readers(options, before.as_bytes(), now.as_bytes(), &mut both)?;
    String::from_utf8(both).map_err(io::Error::other)
}

/// Draws the differential graph as SVG.
///
/// # Errors
/// When the baseline is not folded stacks, or there is nothing to draw.
pub fn svg(graph: &Graph, baseline: &[u8], subtitle: &str) -> io::Result<Vec<u8>> {
    let lines = lines(graph, baseline)?;
    svg::draw(svg::options(graph, subtitle), lines.lines())
}
