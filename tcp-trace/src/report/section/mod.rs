// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sections of a report, each in a file of its own, in reading order.

mod callers;
mod latency;
mod ledger;
mod limits;
mod machine;
mod ports;
mod queues;
mod talkers;
mod time_wait;

use serde::Serialize;

use super::{
    chart::{Axis, Chart, bars::Bar},
    column::Column,
    flame::Flame,
    table::Table,
    timeline::FindingTimelines,
};
use crate::{session_info::SessionInfo, summarize::summary::Summary};

/// A section of the page.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Id of its element.
    pub id: &'static str,
    /// Title of the section.
    pub title: &'static str,
    /// Blocks in reading order.
    pub blocks: Vec<Block>,
}

/// A block of a section.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Words(String),
    /// A figure.
    Chart(Box<Chart>),
    /// A bar.
    Bar(Bar),
    /// A flame graph.
    Flame(Box<Flame>),
    /// A table.
    Table(Table),
}

/// The data that sections are built from.
pub struct Material<'a> {
    /// What was known before the first event.
    pub session: &'a SessionInfo,
    /// The whole run.
    pub summary: &'a Summary,
    /// The run over time.
    pub columns: &'a [Column],
    /// Occurrences of each cause.
    pub timelines: &'a FindingTimelines,
    /// The flame graph, if stacks were collected.
    pub flame: Option<&'a Flame>,
    /// Number of rows per table.
    pub top: usize,
}

impl Material<'_> {
    /// The time axis of the run.
    pub fn axis(&self) -> Axis {
        Axis::new(self.session.begin.wall, self.summary.time)
    }
}

/// All sections with content.
pub fn all(material: &Material<'_>) -> Vec<Section> {
    let sections = [
        ("latency", "Connect latency", latency::blocks(material)),
        ("ports", "Local ports", ports::blocks(material)),
        ("callers", "Call paths of connect()", callers::blocks(material)),
        ("talkers", "Callers and destinations", talkers::blocks(material)),
        ("time-wait", "TIME_WAIT", time_wait::blocks(material)),
        ("queues", "Listeners and their queues", queues::blocks(material)),
        ("limits", "Other limits", limits::blocks(material)),
        ("ledger", "Coverage, losses and cost", ledger::blocks(material)),
        ("machine", "This machine", machine::blocks(material)),
    ];
    let sections = sections.into_iter().filter(|(.., blocks)| !blocks.is_empty());
    sections.map(|(id, title, blocks)| Section { id, title, blocks }).collect()
}
