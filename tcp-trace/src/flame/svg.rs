// SPDX-License-Identifier: MIT OR Apache-2.0
//! The SVG that searches and zooms in a browser.

use inferno::flamegraph::{
    self, Options,
    color::{MultiPalette, Palette},
};

use super::{folded::folded, graph::Graph};
use crate::view::format;

/// Upper limit of letters in the subtitle, at the usual width; a comment in the file has the whole text.
const LETTERS: usize = 160;

/// Draws the graph; `subtitle` is shown below the title.
///
/// # Errors
/// When there is nothing to draw.
pub fn svg(graph: &Graph, subtitle: &str) -> std::io::Result<Vec<u8>> {
    let lines = folded(graph);
    draw(options(graph, subtitle), lines.lines())
}

/// Options of the drawing library.
pub(super) fn options<'a>(graph: &Graph, subtitle: &str) -> Options<'a> {
    let mut options = Options::default();
    options.title = format!("tcp-trace: {}", graph.weight.title());
    options.subtitle = Some(format::fitted(subtitle, LETTERS));
    // Two hyphens would end the comment.
    options.notes = subtitle.replace("--", "- -");
    options.count_name = graph.weight.unit().into();
    options.name_type = "Frame:".into();
    // Frames of the kernel have a colour of their own; the same frame has the same colour in each graph.
    options.colors = Palette::Multi(MultiPalette::Java);
    options.hash = true;
    options
}

pub(super) fn draw<'a>(mut options: Options<'_>, lines: impl Iterator<Item = &'a str>) -> std::io::Result<Vec<u8>> {
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines, &mut svg)?;
    Ok(svg)
}
