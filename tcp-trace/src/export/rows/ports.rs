// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of `ports`: one for each source and destination, one for each network namespace, one about the look itself.

use crate::{
    aggregate::{
        observed::Observed,
        ports::{Effort, Group, PortSpace, held::By},
    },
    export::row::Row,
    findings::Evidence,
};

pub(super) fn rows(observed: &Observed, top: usize) -> Vec<Row> {
    let groups = observed.ports.groups.iter().take(top).map(|group| of_group(observed, group));
    let spaces = observed.ports.spaces.iter().take(top).map(|space| of_space(observed, space));
    // None of it is said before the first look is over.
    let effort = Some(observed.ports.effort).filter(|effort| *effort != Effort::default());
    groups.chain(spaces).chain(effort.map(of_effort)).collect()
}

fn of_group(observed: &Observed, group: &Group) -> Row {
    let route = group.route;
    let (held, range) = (group.held, group.range);
    let (taken, halves, free) = (held.taken(), range.halves(), held.free(range));
    let destination = route.destination();
    let tally = observed.connect.destinations.iter().find(|row| row.key == destination);
    let factor = observed.connect.estimate().map_or(1.0, |estimate| estimate.factor);
    let connects = tally.map(|row| row.value.connects as f64 * factor / observed.seconds);
    let connects = connects.filter(|rate| rate.is_finite());
    let mut fields = vec![
        ("netns", number(route.netns)),
        ("netns_name", name(observed, route.netns)),
        ("family", text(if route.daddr.is_ipv4() { "ipv4" } else { "ipv6" })),
        ("saddr", text(&route.saddr.to_string())),
        ("daddr", text(&route.daddr.to_string())),
        ("dport", number(route.dport)),
        ("range_low", number(range.low)),
        ("range_high", number(range.high)),
        ("one_pass", Evidence::Flag(range.one_pass)),
        ("ports", number(range.ports())),
        ("first_half_ports", number(halves.first)),
        ("first_half_taken", number(taken.first)),
        ("first_half_free", number(free.first)),
        ("second_half_ports", number(halves.second)),
        ("second_half_taken", number(taken.second)),
        ("second_half_free", number(free.second)),
    ];
    fields.extend(By::ALL.into_iter().map(|by| {
        let space = observed.ports.space(route.netns);
        let known = match by {
            By::Bound => space.is_some_and(|space| space.bound.is_some()),
            By::Marked => space.is_some_and(|space| space.marked.is_some()),
            _ => true,
        };
        (by.name(), Evidence::number(known.then(|| held.by(by).both().into())))
    }));
    fields.extend([
        ("outside_range", number(group.outside)),
        ("reuse", text(&group.reuse.words())),
        ("ports_to_cliff", Evidence::number(held.to_cliff(range).map(Into::into))),
        ("ports_to_exhaustion", number(held.to_exhaustion(range))),
        ("ports_per_second", float(group.growth.map(|growth| growth.per_second))),
        ("seconds_to_cliff", float(group.seconds_to_cliff())),
        ("seconds_to_exhaustion", float(group.seconds_to_exhaustion())),
        ("connects_per_second", float(connects)),
        ("owner_pid", Evidence::number(group.owner.as_ref().map(|(owner, _)| owner.pid.into()))),
        ("owner_comm", group.owner.as_ref().map_or(Evidence::Unknown, |(owner, _)| text(&owner.comm))),
        ("owner_sockets", Evidence::number(group.owner.as_ref().map(|(_, sockets)| (*sockets).into()))),
    ]);
    Row { kind: "ports", fields }
}

fn of_space(observed: &Observed, space: &PortSpace) -> Row {
    let end = |of: fn(&crate::aggregate::ports::range::Range) -> u16| {
        Evidence::number(space.range.as_ref().map(|range| of(range).into()))
    };
    Row {
        kind: "port_space",
        fields: vec![
            ("netns", number(space.netns)),
            ("netns_name", name(observed, space.netns)),
            ("range_low", end(|range| range.low)),
            ("range_high", end(|range| range.high)),
            ("reserved", number(space.reserved)),
            ("listening", number(space.listening)),
            ("bound", Evidence::number(space.bound.map(Into::into))),
            ("marked", Evidence::number(space.marked.map(Into::into))),
            ("shared", number(space.shared)),
            ("most_shared_port", Evidence::number(space.most_shared.map(|(port, _)| port.into()))),
            ("most_shared_by", Evidence::number(space.most_shared.map(|(_, uses)| uses.into()))),
            ("sockets_skipped", Evidence::Number(space.beyond)),
        ],
    }
}

fn of_effort(effort: Effort) -> Row {
    let fields = vec![("sockets", Evidence::Number(effort.sockets)), ("took_ns", Evidence::Number(effort.took_ns))];
    Row { kind: "inventory", fields }
}

fn name(observed: &Observed, netns: u32) -> Evidence {
    let name = observed.spaces.get(&netns).and_then(|space| space.name.as_deref());
    name.map_or(Evidence::Unknown, text)
}

fn number(value: impl Into<u64>) -> Evidence {
    Evidence::Number(value.into())
}

fn text(value: &str) -> Evidence {
    Evidence::Text(value.to_owned())
}

fn float(value: Option<f64>) -> Evidence {
    value.map_or(Evidence::Unknown, Evidence::Share)
}
