// SPDX-License-Identifier: MIT OR Apache-2.0
//! The size of a tier as text: one line for hosts that connect themselves, one for hosts that do NAT.

use std::fmt::Write;

use super::{
    format::{share, wrapped},
    screen::Layout,
    theme::Theme,
    what_if::decimal,
};
use crate::{
    aggregate::words::grouped,
    what_if::tier::{Size, Tier},
};

/// The whole report.
pub fn text(tier: &Tier, layout: Layout) -> String {
    let layout = Layout { width: layout.width.max(80), ..layout };
    let theme = Theme { colours: layout.colours };
    let mut out = String::new();
    let title = format!(
        "tcp-trace what-if  {} hosts with {} each, {} connects/s of {:.1} s to one destination",
        grouped(tier.hosts.into()),
        if tier.addresses == 1 { "one address".to_owned() } else { format!("{} addresses", tier.addresses) },
        decimal(tier.connects_per_second),
        tier.lasts_s,
    );
    let paragraph = |out: &mut String, text: &str, paint: &dyn Fn(&str) -> String| {
        for line in wrapped(text, layout.width) {
            let _ = writeln!(out, "{}", paint(&line));
        }
    };
    paragraph(&mut out, &title, &|line| theme.title(line));
    let head = format!(
        "\n{:<20}{:>9}{:>9}{:>10}{:>9}{:>11}{:>11}",
        "each address", "ports", "taken", "edge at", "visited", "edge at/s", "hosts from"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for (name, size) in [("proxy: connect()", tier.proxy()), ("NAT: netfilter", tier.nat())] {
        let line = line(name, &size);
        let _ = writeln!(out, "{}", if size.taken >= f64::from(size.edge) { theme.alarm(&line) } else { line });
        if let Some(visits) = size.visits.filter(|visits| visits.no_port > 0.0) {
            let _ = writeln!(
                out,
                "{}",
                theme.alarm(&format!("  {} of connects find no port", share(Some(visits.no_port))))
            );
        }
    }
    out.push('\n');
    let explained = format!(
        "proxies close first and keep each port for 60 s in TIME_WAIT, so the edge is the parity cliff, at half of \
         {}-{}; a NAT host keeps each port for 120 s in conntrack's TIME_WAIT, so the edge is the last port; how \
         netfilter chooses a port is not modelled. edge at/s: connects per second of the whole tier; hosts from: number of \
         hosts that stays below the edge",
        tier.range.0, tier.range.1
    );
    paragraph(&mut out, &explained, &|line| theme.faint(line));
    out
}

fn line(name: &str, size: &Size) -> String {
    format!(
        "{name:<20}{:>9}{:>9}{:>10}{:>9}{:>11}{:>11}",
        grouped(size.ports.into()),
        grouped(size.taken.round() as u64),
        grouped(size.edge.into()),
        size.visits.map_or("-".into(), |visits| decimal(visits.mean)),
        grouped(size.edge_per_second.floor() as u64),
        grouped(size.hosts.into()),
    )
}
