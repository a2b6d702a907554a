// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits around connections: their usage, the processes nearest to theirs, what a socket costs.

use std::fmt::Write;

use super::{
    format::{count, fitted, share, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::limits::LimitsSnapshot,
    inventory::limits::{Limits, ObjectBytes, Taken},
};

pub(super) fn table(out: &mut String, theme: Theme, layout: Layout, limits: &LimitsSnapshot) {
    let Some(now) = &limits.now else { return };
    let head = format!("{:<38}{:>14}{:>16}{:>10}", "limit", "used", "at most", "share");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for process in now.processes.nearest.iter().take(layout.top) {
        let who = format!("descriptors of {} ({})", process.comm, process.pid);
        row(out, &who, process.taken);
    }
    of_the_machine(out, now);
    for table in now.conntrack.iter().take(layout.top) {
        row(out, &format!("conntrack, netns {}", table.netns), table.taken);
    }
    let hidden = now.processes.hidden;
    if hidden > 0 {
        let _ = writeln!(
            out,
            "{}",
            theme.faint(&format!("file descriptors of {hidden} processes unknown: no permission to count them"))
        );
    }
    for line in wrapped(&cost(now.object_bytes), layout.width) {
        let _ = writeln!(out, "{line}");
    }
}

fn of_the_machine(out: &mut String, now: &Limits) {
    let memory = now.tcp_memory;
    row(out, "files of the machine (fs.file-max)", now.files);
    row(out, "descriptors per process (fs.nr_open)", Taken { used: None, limit: now.nr_open });
    row(out, "TCP memory in pages (tcp_mem)", Taken { used: memory.pages, limit: memory.limit_pages });
    row(out, "orphaned sockets", now.orphans);
}

fn row(out: &mut String, name: &str, taken: Taken) {
    let _ = writeln!(
        out,
        "{:<38}{:>14}{:>16}{:>10}",
        fitted(name, 38),
        count(taken.used),
        count(taken.limit),
        share(taken.share())
    );
}

/// The memory of a connection in words.
pub(crate) fn cost(bytes: ObjectBytes) -> String {
    format!(
        "a connection costs a file descriptor and {} bytes of kernel memory before it buffers anything (IPv6: {}), one in \
         TIME_WAIT {} bytes, one in the SYN queue {} bytes",
        count(bytes.socket),
        count(bytes.socket6),
        count(bytes.time_wait),
        count(bytes.request)
    )
}
