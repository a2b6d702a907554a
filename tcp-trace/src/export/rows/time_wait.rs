// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of `time-wait`: network namespaces, destinations, owners.

use crate::{
    aggregate::{
        observed::Observed,
        ports::{Group, held::By},
        time_wait_owners::OwnerRow,
    },
    export::row::Row,
    findings::Evidence,
    model::time_wait::TimeWaitTotals,
};

/// At most `top` of each kind.
pub(super) fn of(observed: &Observed, top: usize) -> Vec<Row> {
    let spaces = observed.time_wait.iter().take(top).map(|(netns, totals)| space(observed, *netns, totals));
    let destinations = observed.ports.groups.iter().filter_map(destination).take(top);
    let owners = observed.time_wait_owners.iter().take(top).map(owner);
    spaces.chain(destinations).chain(owners).collect()
}

fn space(observed: &Observed, netns: u32, totals: &TimeWaitTotals) -> Row {
    let sysctls = observed.spaces.get(&netns).map(|space| &space.sysctls);
    let number = Evidence::number;
    let fields = vec![
        ("netns", Evidence::Number(netns.into())),
        ("level", number(totals.level)),
        ("tcp_max_tw_buckets", number(totals.max_buckets)),
        ("entered", number(totals.entered)),
        ("entered_fin_wait2", number(totals.entered_fin_wait2)),
        ("expired", number(totals.expired)),
        ("reused", number(totals.reused)),
        ("by_syn", number(totals.by_syn)),
        ("reset", number(totals.reset)),
        ("other", number(totals.other)),
        ("overflow", number(totals.overflow)),
        ("tcp_tw_reuse", number(sysctls.and_then(|sysctls| sysctls.tcp_tw_reuse).map(u64::from))),
        ("tcp_timestamps", number(sysctls.and_then(|sysctls| sysctls.tcp_timestamps).map(u64::from))),
        ("tcp_tw_reuse_delay_ms", number(sysctls.and_then(|sysctls| sysctls.tcp_tw_reuse_delay).map(u64::from))),
    ];
    Row { kind: "time_wait_netns", fields }
}

fn destination(group: &Group) -> Option<Row> {
    let [waiting, reusable] = [By::TimeWait, By::TimeWaitReusable].map(|by| u64::from(group.held.by(by).both()));
    let fields = vec![
        ("netns", Evidence::Number(group.route.netns.into())),
        ("saddr", Evidence::Text(group.route.saddr.to_string())),
        ("daddr", Evidence::Text(group.route.daddr.to_string())),
        ("dport", Evidence::Number(group.route.dport.into())),
        ("time_wait", Evidence::Number(waiting + reusable)),
        ("reusable_now", Evidence::Number(reusable)),
        ("ports", Evidence::Number(u64::from(group.range.high.saturating_sub(group.range.low)) + 1)),
        ("reuse", Evidence::Text(group.reuse.words())),
    ];
    (waiting + reusable > 0).then_some(Row { kind: "time_wait_destination", fields })
}

fn owner(row: &OwnerRow) -> Row {
    let mut fields = super::peer::fields(&row.peer, &row.who);
    fields.extend([
        ("level", Evidence::number(row.level)),
        ("entered", Evidence::Number(row.entered)),
        ("entered_fin_wait2", Evidence::Number(row.entered_fin_wait2)),
        ("entered_without_timestamps", Evidence::Number(row.entered_without_timestamps)),
        ("expired", Evidence::Number(row.expired)),
        ("reused", Evidence::Number(row.reused)),
        ("by_syn", Evidence::Number(row.by_syn)),
        ("reset", Evidence::Number(row.reset)),
        ("other", Evidence::Number(row.other)),
        ("overflow", Evidence::Number(row.overflow)),
    ]);
    Row { kind: "time_wait_owner", fields }
}
