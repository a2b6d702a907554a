// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits as rows: one a limit, and one of what a socket costs.

use crate::{
    aggregate::limits::LimitsSnapshot,
    export::row::Row,
    findings::Evidence,
    inventory::limits::{Limits, Taken},
};

pub(super) fn rows(limits: &LimitsSnapshot) -> Vec<Row> {
    let Some(now) = &limits.now else { return Vec::new() };
    let mut rows = Vec::new();
    for process in &now.processes.nearest {
        rows.push(Row {
            fields: [
                taken("nofile", process.taken),
                vec![
                    ("pid", Evidence::Number(process.pid.into())),
                    ("comm", Evidence::Text(process.comm.to_string())),
                    ("hard", Evidence::number(process.hard)),
                ],
            ]
            .concat(),
            kind: "limit",
        });
    }
    rows.extend(of_the_machine(now));
    for table in &now.conntrack {
        rows.push(Row {
            fields: [
                taken("conntrack", table.taken),
                vec![
                    ("netns", Evidence::Number(table.netns.into())),
                    ("dropped", Evidence::number(limits.dropped(table))),
                    ("timeout_time_wait_s", Evidence::number(table.time_wait_s)),
                    ("timeout_established_s", Evidence::number(table.established_s)),
                ],
            ]
            .concat(),
            kind: "limit",
        });
    }
    let bytes = now.object_bytes;
    let fields = vec![
        ("socket_bytes", Evidence::number(bytes.socket)),
        ("socket6_bytes", Evidence::number(bytes.socket6)),
        ("time_wait_bytes", Evidence::number(bytes.time_wait)),
        ("request_bytes", Evidence::number(bytes.request)),
        ("conntrack_bytes", Evidence::number(bytes.conntrack)),
    ];
    rows.push(Row { kind: "socket_cost", fields });
    rows
}

fn of_the_machine(now: &Limits) -> impl Iterator<Item = Row> {
    let memory = now.tcp_memory;
    let rows = [
        ("file_max", now.files),
        ("nr_open", Taken { used: None, limit: now.nr_open }),
        ("tcp_mem_pages", Taken { used: memory.pages, limit: memory.limit_pages }),
        ("orphans", now.orphans),
    ];
    rows.into_iter().map(|(name, of)| Row { kind: "limit", fields: taken(name, of) })
}

fn taken(name: &str, taken: Taken) -> Vec<(&'static str, Evidence)> {
    vec![
        ("limit", Evidence::Text(name.to_owned())),
        ("used", Evidence::number(taken.used)),
        ("max", Evidence::number(taken.limit)),
        ("share", taken.share().map_or(Evidence::Unknown, Evidence::Share)),
    ]
}
