// SPDX-License-Identifier: MIT OR Apache-2.0
//! The picture that searches and zooms in a browser.

use inferno::flamegraph::{
    self, Options,
    color::{MultiPalette, Palette},
};

use super::{folded::folded, graph::Graph};
use crate::view::format;

/// As many as have room below the title of a picture of its usual width; a comment in the file has all of them.
const LETTERS: usize = 160;

/// Draws it; `subtitle` stands under the title.
///
/// # Errors
/// When there is nothing to draw.
pub fn svg(graph: &Graph, subtitle: &str) -> std::io::Result<Vec<u8>> {
    let lines = folded(graph);
    draw(options(graph, subtitle), lines.lines())
}

/// As the picture is set up.
pub(super) fn options<'a>(graph: &Graph, subtitle: &str) -> Options<'a> {
    let mut options = Options::default();
    options.title = format!("tcp-trace: {}", graph.weight.title());
    options.subtitle = Some(format::fitted(subtitle, LETTERS));
    // Two hyphens would end the comment.
    options.notes = subtitle.replace("--", "- -");
    options.count_name = graph.weight.unit().into();
    options.name_type = "Frame:".into();
    // Frames of the kernel have a colour of their own; the same frame has the same one in each picture.
    options.colors = Palette::Multi(MultiPalette::Java);
    options.hash = true;
    options
}

pub(super) fn draw<'a>(mut options: Options<'_>, lines: impl Iterator<Item = &'a str>) -> std::io::Result<Vec<u8>> {
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines, &mut svg)?;
    Ok(svg)
}
