// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of `time-wait`: by network namespace, by destination, by owner.

use std::fmt::Write;

use super::{
    format::{count, fitted, percent, rate, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::{observed::Observed, ports::held::By, words::grouped},
    model::peer::owner,
};

/// Writes all tables.
pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    spaces(out, theme, layout, observed);
    destinations(out, theme, layout, observed);
    owners(out, theme, layout, observed);
}

/// Writes the level of each namespace, its limit and settings.
fn spaces(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    let mut spaces: Vec<_> = observed.time_wait.iter().collect();
    spaces.sort_by_key(|(netns, totals)| (std::cmp::Reverse(totals.level), **netns));
    for (netns, totals) in spaces.into_iter().take(layout.top) {
        let of_limit = match (totals.level, totals.max_buckets) {
            (Some(level), Some(limit)) => {
                format!(" of tcp_max_tw_buckets {} ({})", grouped(limit), percent(level, limit))
            }
            _ => String::new(),
        };
        let _ = writeln!(out);
        let title = format!("netns {}: {} in TIME_WAIT{of_limit}", observed.netns_label(*netns), count(totals.level));
        let per_second = |number| rate(number, observed.seconds);
        let rates = format!(
            "in/s {}  expired/s {}  reused/s {}  by SYN/s {}  reset/s {}  overflow/s {}",
            per_second(totals.entered),
            per_second(totals.expired),
            per_second(totals.reused),
            per_second(totals.by_syn),
            per_second(totals.reset),
            per_second(totals.overflow)
        );
        let setting = |value: Option<u32>| value.map_or("?".to_owned(), |value| value.to_string());
        let sysctls = observed.spaces.get(netns).map(|space| &space.sysctls);
        let settings = format!(
            "tcp_tw_reuse {}  tcp_timestamps {}  tcp_tw_reuse_delay {}",
            setting(sysctls.and_then(|sysctls| sysctls.tcp_tw_reuse).map(u32::from)),
            setting(sysctls.and_then(|sysctls| sysctls.tcp_timestamps).map(u32::from)),
            sysctls.and_then(|sysctls| sysctls.tcp_tw_reuse_delay).map_or("-".to_owned(), |ms| format!("{ms} ms")),
        );
        for line in wrapped(&title, layout.width) {
            let _ = writeln!(out, "{}", theme.title(&line));
        }
        for line in [rates, settings].iter().flat_map(|text| wrapped(text, layout.width)) {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// Writes ports in TIME_WAIT by destination, and whether `connect()` may reuse them.
fn destinations(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    let groups = observed.ports.groups.iter().map(|group| {
        let [waiting, reusable] = [By::TimeWait, By::TimeWaitReusable].map(|by| u64::from(group.held.by(by).both()));
        (group, waiting, reusable)
    });
    let mut groups: Vec<_> = groups.filter(|(_, waiting, reusable)| waiting + reusable > 0).collect();
    if groups.is_empty() {
        return;
    }
    groups.sort_by_key(|(_, waiting, reusable)| std::cmp::Reverse(waiting + reusable));
    let head = format!("{:<30}{:>10}{:>10}{:>14}", "towards", "TIME_WAIT", "of ports", "reusable now");
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for (group, waiting, reusable) in groups.into_iter().take(layout.top) {
        let ports = u64::from(group.range.high.saturating_sub(group.range.low)) + 1;
        let to = std::net::SocketAddr::new(group.route.daddr, group.route.dport).to_string();
        let _ = writeln!(
            out,
            "{:<30}{:>10}{:>10}{:>14}",
            fitted(&to, 30),
            grouped(waiting + reusable),
            percent(waiting + reusable, ports),
            grouped(reusable)
        );
        for line in wrapped(&format!("reuse: {}", group.reuse.words()), layout.width - 2) {
            let _ = writeln!(out, "  {}", theme.faint(&line));
        }
    }
}

fn owners(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    if observed.time_wait_owners.is_empty() {
        return;
    }
    let head = format!(
        "{:<20} {:<22}{:>7}{:>7}{:>7}{:>8}{:>7}",
        "closed first by", "with", "now", "in/s", "out/s", "reuse/s", "over/s"
    );
    let _ = writeln!(out, "\n{}", theme.title(&head));
    for row in observed.time_wait_owners.iter().take(layout.top) {
        let per_second = |number| rate(Some(number), observed.seconds);
        let _ = writeln!(
            out,
            "{:<20} {:<22}{:>7}{:>7}{:>7}{:>8}{:>7}",
            fitted(&owner(&row.peer, &row.who), 20),
            fitted(&row.peer.to_string(), 22),
            count(row.level),
            per_second(row.entered),
            per_second(row.left()),
            per_second(row.reused),
            per_second(row.overflow),
        );
    }
    let harmless_note = "<- is a service on this machine: its TIME_WAIT takes no port of the range";
    for line in wrapped(harmless_note, layout.width) {
        let _ = writeln!(out, "{}", theme.faint(&line));
    }
}
