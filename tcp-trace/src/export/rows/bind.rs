// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of `bind`: processes, times, marked ports.

use crate::{
    aggregate::{
        bind::{Binder, SpaceMarks},
        distribution::Distribution,
    },
    export::row::Row,
    findings::Evidence,
    summarize::summary::Summary,
};

/// At most `top` of each kind.
pub(super) fn rows(summary: &Summary, top: usize) -> Vec<Row> {
    let bind = &summary.observed.bind;
    // Where nothing was attached no call was counted.
    let seen = summary.tier.is_some();
    let times = [("any", &bind.any_port), ("own", &bind.a_port)];
    let times = times.into_iter().filter(|_| seen).map(|(port, of)| time(port, of));
    let binders = bind.binders.iter().take(top).map(process);
    let marks = bind.marks.iter().flatten().take(top).map(marks);
    times.chain(binders).chain(marks).collect()
}

fn text(value: impl ToString) -> Evidence {
    Evidence::Text(value.to_string())
}

fn time(port: &str, of: &Distribution) -> Row {
    let fields = vec![
        ("port", text(port)),
        ("count", Evidence::Number(of.count)),
        ("p50_ns", Evidence::number(of.p50)),
        ("p90_ns", Evidence::number(of.p90)),
        ("p99_ns", Evidence::number(of.p99)),
        ("max_ns", Evidence::number(of.max)),
    ];
    Row { kind: "bind_time", fields }
}

fn process(binder: &Binder) -> Row {
    let Binder { any_port, a_port, range, .. } = binder;
    let fields = vec![
        ("netns", Evidence::Number(binder.netns.into())),
        ("pid", Evidence::Number(binder.process.pid.into())),
        ("comm", text(binder.process.comm)),
        ("uid", Evidence::Number(binder.uid.into())),
        ("cgroup", binder.cgroup.as_ref().map_or(Evidence::Unknown, text)),
        ("range_low", Evidence::number(range.map(|(low, _)| low.into()))),
        ("range_high", Evidence::number(range.map(|(_, high)| high.into()))),
        ("any_port_binds", Evidence::Number(any_port.calls)),
        ("any_port_connected", Evidence::Number(any_port.connected)),
        ("any_port_in_use", Evidence::Number(any_port.in_use)),
        ("any_port_shared", Evidence::Number(any_port.shared)),
        ("any_port_mean_ns", Evidence::number(any_port.took_ns.checked_div(any_port.calls))),
        ("own_port_binds", Evidence::Number(a_port.calls)),
        ("own_port_connected", Evidence::Number(a_port.connected)),
        ("own_port_in_use", Evidence::Number(a_port.in_use)),
        ("own_port_shared", Evidence::Number(a_port.shared)),
        ("own_port_in_range", Evidence::Number(binder.in_range)),
        ("own_port_mean_ns", Evidence::number(a_port.took_ns.checked_div(a_port.calls))),
        ("call_site", binder.any_port_site().map_or(Evidence::Unknown, text)),
    ];
    Row { kind: "bind_process", fields }
}

fn marks(space: &SpaceMarks) -> Row {
    let of = &space.marks;
    let holder = space.holders.first();
    let fields = vec![
        ("netns", Evidence::Number(space.netns.into())),
        ("netns_name", space.name.as_ref().map_or(Evidence::Unknown, text)),
        ("range_low", Evidence::Number(of.range.0.into())),
        ("range_high", Evidence::Number(of.range.1.into())),
        ("skipped", Evidence::Number(of.skipped())),
        ("poisoned", Evidence::Number(of.poisoned)),
        ("poisoned_first_half", Evidence::Number(of.poisoned_first_half)),
        ("bound", Evidence::Number(of.bound)),
        ("listening", Evidence::Number(of.listening)),
        ("time_wait", Evidence::Number(of.time_wait)),
        ("outside_range", Evidence::Number(of.outside)),
        ("holder_pid", Evidence::number(holder.map(|(process, _)| process.pid.into()))),
        ("holder_comm", holder.map_or(Evidence::Unknown, |(process, _)| text(process.comm))),
        ("holder_ports", Evidence::number(holder.map(|(_, ports)| *ports))),
    ];
    Row { kind: "port_marks", fields }
}
