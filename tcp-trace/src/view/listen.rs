// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of `listen`: queues, drops and rates of each listener, and handshakes that waited for one.

use std::fmt::Write;

use super::{
    format::{count, duration, fitted, rate, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::{
        listen::{ListenSnapshot, Listener},
        observed::Observed,
        words::grouped,
    },
    event::DropCause,
    summarize::summary::Summary,
};

pub(super) fn tables(out: &mut String, theme: Theme, layout: Layout, summary: &Summary) {
    let observed = &summary.observed;
    let listen = &observed.listen;
    let shown = &listen.listeners[..listen.listeners.len().min(layout.top)];
    if shown.is_empty() {
        let _ = writeln!(out, "\nno TCP listener in the visible network namespaces");
    } else {
        listeners(out, theme, layout, observed, shown);
    }
    let more = (listen.listeners.len() - shown.len()) as u64 + listen.beyond;
    if more > 0 {
        let _ = writeln!(out, "{}", theme.faint(&format!("{} more listeners (--top)", grouped(more))));
    }
    slow(out, theme, layout, listen);
    if !listen.traced {
        spaces(out, theme, layout, listen);
    }
}

/// Writes two lines per listener: address and owner; then figures in columns, with drops by cause, if any.
fn listeners(out: &mut String, theme: Theme, layout: Layout, observed: &Observed, shown: &[Listener]) {
    let head = format!(
        "\nlistener\n{:>16}{:>8}{:>10}{:>8}{:>9}{:>9}{:>10}{:>9}",
        "accept queue", "high", "SYN queue", "high", "in/s", "accept/s", "dropped", "cookies"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for listener in shown {
        let _ = writeln!(out, "{}", fitted(&name(observed, listener), layout.width));
        let (now, counts) = (listener.now, listener.counts);
        let queue = now.map_or("?".into(), |now| format!("{}/{}", grouped(now.fullest), grouped(now.limit)));
        let per_second = |number| rate(number, observed.seconds);
        let line = format!(
            "{queue:>16}{:>8}{:>10}{:>8}{:>9}{:>9}{:>10}{:>9}",
            count(listener.accept_high),
            count(now.map(|now| now.syn_queue)),
            count(listener.syn_high),
            per_second(counts.map(|counts| counts.queued)),
            per_second(counts.and_then(|counts| counts.accepted())),
            count(counts.map(|counts| counts.dropped())),
            count(counts.map(|counts| counts.cookies)),
        );
        let troubled = counts.is_some_and(|counts| counts.dropped() > 0);
        let _ = writeln!(out, "{}", if troubled { theme.alarm(&line) } else { line });
        for line in wrapped(&details(observed, listener), layout.width - 4).iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(out, "    {}", theme.faint(line));
        }
    }
}

/// Address and owner of a listener.
pub(crate) fn name(observed: &Observed, listener: &Listener) -> String {
    let endpoint = listener.endpoint;
    let mut words = format!("{}  netns {}", endpoint.address(), observed.netns_label(endpoint.netns));
    if let Some(owner) = listener.owner {
        let _ = write!(words, ", {} ({})", owner.comm, owner.pid);
    }
    words
}

/// Details of a listener beyond its figures.
pub(crate) fn details(observed: &Observed, listener: &Listener) -> String {
    let mut words = Vec::new();
    let drops = listener.counts.map(|counts| counts.drops).unwrap_or_default();
    for (cause, dropped) in DropCause::ALL.into_iter().zip(drops).filter(|(_, dropped)| *dropped > 0) {
        let what = match cause {
            DropCause::AcceptQueue => "SYNs dropped, accept queue full",
            DropCause::AcceptQueueAtAck => "handshakes dropped at their last ACK, accept queue full",
            DropCause::SynQueue => "SYNs dropped, SYN queue full",
            DropCause::SynBacklog => "SYNs dropped, last quarter of tcp_max_syn_backlog",
            DropCause::Other => "SYNs dropped for other reasons",
        };
        words.push(format!("{} {what}", grouped(dropped)));
    }
    let somaxconn = observed.spaces.get(&listener.endpoint.netns).and_then(|space| space.sysctls.somaxconn);
    if let Some(asked) = listener.asked {
        let limited = somaxconn.map_or(String::new(), |most| format!(", somaxconn is {}", grouped(most.into())));
        words.push(format!("listen() asked for {}{limited}", grouped(asked)));
    }
    if let Some(now) = listener.now.filter(|now| now.chain > 1) {
        let (members, chain) = (grouped(now.members), grouped(now.chain));
        words.push(format!("{members} sockets listen there, for {chain} devices, and each SYN walks all of them"));
    } else if let Some(now) = listener.now.filter(|now| now.members > 1) {
        let skew = listener.skew.map_or("?".into(), |skew| format!("{skew:.1}"));
        words.push(format!("{} sockets share it, the busiest gets {skew} times its share", grouped(now.members)));
    }
    if let Some(mean_ns) = listener.counts.and_then(|counts| counts.lookup_mean_ns()) {
        words.push(format!("found in {}", duration(Some(mean_ns))));
    }
    words.join("; ")
}

fn slow(out: &mut String, theme: Theme, layout: Layout, listen: &ListenSnapshot) {
    if listen.slow.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", theme.title("handshakes of this machine that waited for one of these"));
    for slow in listen.slow.iter().take(layout.top) {
        let line = format!(
            "{} ({}) -> {}: {} connects, {} SYN retransmits, the longest {}",
            slow.caller.comm,
            slow.caller.pid,
            slow.listener.address(),
            grouped(slow.connects),
            grouped(slow.retransmits),
            duration(slow.max_ns)
        );
        for line in wrapped(&line, layout.width) {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// Writes the kernel's own counters, the only source where nothing is traced.
fn spaces(out: &mut String, theme: Theme, layout: Layout, listen: &ListenSnapshot) {
    let head = format!(
        "\n{:<14}{:>16}{:>14}{:>22}{:>14}",
        "netns", "ListenOverflows", "ListenDrops", "ReqQFullDoCookies", "ReqQFullDrop"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for space in listen.spaces.iter().take(layout.top) {
        let _ = writeln!(
            out,
            "{:<14}{:>16}{:>14}{:>22}{:>14}",
            space.netns,
            count(space.overflows),
            count(space.drops),
            count(space.full_cookies),
            count(space.full_drops)
        );
    }
}
