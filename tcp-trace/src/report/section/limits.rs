// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: limits around connections besides ports.

use super::{Block, Material};
use crate::{
    inventory::limits::Taken,
    report::table::Table,
    view::{
        format::{count, share},
        limits::cost,
    },
};

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let Some(now) = &material.summary.observed.limits.now else { return Vec::new() };
    let mut table = Table::new("Limits at the end", &["limit", "used#", "at most#", "share#"]);
    let mut row = |name: String, taken: Taken| {
        table.push([name, count(taken.used), count(taken.limit), share(taken.share())]);
    };
    for process in now.processes.nearest.iter().take(material.top) {
        row(format!("descriptors of {} ({})", process.comm, process.pid), process.taken);
    }
    row("files of the machine (fs.file-max)".into(), now.files);
    let memory = now.tcp_memory;
    row("TCP memory in pages (tcp_mem)".into(), Taken { used: memory.pages, limit: memory.limit_pages });
    row("orphaned sockets".into(), now.orphans);
    for conntrack in now.conntrack.iter().take(material.top) {
        row(format!("conntrack, netns {}", conntrack.netns), conntrack.taken);
    }
    if now.processes.hidden > 0 {
        let words =
            format!("file descriptors of {} processes unknown: no permission to count them", now.processes.hidden);
        table.notes.push(words);
    }
    table.notes.push(cost(now.object_bytes));
    vec![Block::Table(table)]
}
