// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flame graph in the page: a document of its own in a frame without network access, and its heaviest paths as a
//! table.

use data_encoding::BASE64;
use serde::Serialize;

use super::{policy, table::Table};
use crate::{
    aggregate::{stacks::StacksAggregate, words::grouped},
    flame::{
        graph::{Drawn, Graph, Part, Split},
        picture,
        weight::Weight,
    },
    view::format::{duration, percent},
};

/// Number of frames per path in the table, the innermost; kernel frames are the same in all paths.
const FRAMES: usize = 12;

/// A flame graph in the page.
#[derive(Clone, Debug, Serialize)]
pub struct Flame {
    /// Description in words, for readers who cannot see it.
    pub words: String,
    /// The whole graph as a data URI.
    pub uri: String,
    /// Its height in pixels.
    pub height: u32,
    /// The heaviest paths.
    pub table: Table,
    /// Inline styles and scripts of the graph.
    #[serde(skip)]
    pub inline: policy::Inline,
}

impl Flame {
    /// The graph of the first weight that any path has; `None`: no stacks were collected.
    pub fn of(stacks: &StacksAggregate, top: usize) -> Option<Self> {
        let snapshot = stacks.total();
        let drawn = |weight| Graph::new(&snapshot, weight, &[Split::Process]);
        let known =
            |graph: &Graph| graph.lines().any(|(frames, _)| frames.iter().any(|frame| frame.part != Part::Word));
        let graph = [Weight::Search, Weight::Handshake, Weight::Count].into_iter().map(drawn).find(known)?;
        let svg = picture::embedded(stacks, graph.weight, &graph.notes.join(" \u{b7} ")).ok()?;
        // The script would store the search in its address, which such a document cannot change; and a frame that was
        // not shown yet has a width of 0.
        let width = "svg.width.baseVal.value - xpad * 2";
        let at_least = "(svg.width.baseVal.value || 1200) - xpad * 2";
        let svg = svg.replace("history.replaceState(", "void (").replace(width, at_least);
        let table = heaviest(&graph, top);
        Some(Self {
            words: words(&graph),
            height: height(&svg),
            uri: format!("data:image/svg+xml;base64,{}", BASE64.encode(svg.as_bytes())),
            table,
            inline: policy::Inline::of(&svg),
        })
    }
}

fn weighed(weight: Weight, value: u64) -> String {
    if weight.unit() == "ns" { duration(Some(value)) } else { grouped(value) }
}

fn words(graph: &Graph) -> String {
    let all: u64 = graph.lines().map(|(_, weight)| weight).sum();
    let of = format!(
        "{}: {} in {} connects",
        graph.weight.title(),
        weighed(graph.weight, all),
        grouped(graph.total.connects)
    );
    match sorted(graph).first() {
        Some((frames, weight)) => format!("{of}; the heaviest path has {}: {}", percent(*weight, all), path(frames)),
        None => of,
    }
}

fn sorted(graph: &Graph) -> Vec<(&[Drawn], u64)> {
    let mut lines: Vec<_> = graph.lines().collect();
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    lines
}

fn heaviest(graph: &Graph, top: usize) -> Table {
    let all: u64 = graph.lines().map(|(_, weight)| weight).sum();
    let mut table = Table::new("The heaviest call paths, caller first", &["call path", "share#", "weight#"]);
    for (frames, weight) in sorted(graph).into_iter().take(top) {
        table.push([path(frames), percent(weight, all), weighed(graph.weight, weight)]);
    }
    table.notes.extend(graph.notes.iter().cloned());
    table
}

/// Formats a path as `haproxy: main > run_poll_loop > connect_server [kernel] > tcp_v4_connect`.
fn path(frames: &[Drawn]) -> String {
    let (root, frames) = frames.split_first().map_or(("?", frames), |(root, frames)| (&*root.name, frames));
    let left_out = frames.len().saturating_sub(FRAMES);
    let mut words = format!("{root}: {}", if left_out > 0 { "... > " } else { "" });
    let mut in_kernel = false;
    for (index, frame) in frames.iter().skip(left_out).enumerate() {
        let enters = frame.part == Part::Kernel && !in_kernel;
        in_kernel = frame.part == Part::Kernel;
        words += match (index, enters) {
            (0, false) => "",
            (0, true) => "[kernel] ",
            (_, false) => " > ",
            (_, true) => " > [kernel] ",
        };
        words += &frame.name;
    }
    words
}

/// Height of the graph, from its own attribute.
fn height(svg: &str) -> u32 {
    let says = svg.split(" height=\"").nth(1).and_then(|rest| rest.split('"').next());
    says.and_then(|pixels| pixels.parse().ok()).unwrap_or(400)
}
