// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fixes as lines that are safe to paste: commands that fit this kernel, and comments.

use super::{DestinationContext, grouped};
use crate::aggregate::ports::range::Range;

/// From this many ports on a range is wide: the remaining ports belong to listeners.
const WIDE: u64 = 50_000;

/// Fixes for a lack of local ports towards one destination.
pub(super) fn more_ports(context: &DestinationContext<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(
        "# keep connections open: a pool, or keep-alive to this destination, needs a port per connection \
         instead of one per request"
            .into(),
    );
    lines.extend(reuse(context));
    lines.extend(widen(context));
    lines.push(
        "# or spread: the limit is per source and destination address, so a second address on either \
         side doubles the ports"
            .into(),
    );
    if context.rules.socket_range_steps_by_one && context.tally.local_range == 0 {
        lines.push(
            "# or setsockopt(IPPROTO_IP, IP_LOCAL_PORT_RANGE): this kernel then tries every port in one \
             pass, with no cliff at half of the range"
                .into(),
        );
    }
    if !context.rules.rcu_lookup {
        lines.push(
            "# a kernel from 6.15 on looks up taken ports without a lock, so each candidate costs \
             less"
                .into(),
        );
    }
    lines
}

/// Fixes for a lack of room in TIME_WAIT; `own`: the namespace is the one in which the fix will run.
pub(super) fn more_time_wait(own: bool, limit: Option<u64>) -> Vec<String> {
    let mut lines = Vec::new();
    if !own {
        lines.push("# inside that network namespace; PID is a process in it".into());
    }
    let prefix = if own { "" } else { "nsenter -t PID -n " };
    match limit {
        Some(limit) => lines.push(format!("{prefix}sysctl -w net.ipv4.tcp_max_tw_buckets={}", (limit * 2).max(65_536))),
        None => lines.push("# raise net.ipv4.tcp_max_tw_buckets; each entry takes about 250 bytes".into()),
    }
    lines.push("# and keep connections open: fewer closes, fewer entries".into());
    lines
}

fn reuse(context: &DestinationContext<'_>) -> Vec<String> {
    const REUSE: &str = "sysctl -w net.ipv4.tcp_tw_reuse=1";
    let sysctls = &context.shell.sysctls;
    let held = match context.held_by_time_wait() {
        Some(false) => return Vec::new(),
        Some(true) => "# TIME_WAIT holds the ports: connect() may reuse them after 1 s",
        None => "# if TIME_WAIT holds the ports (unknown here): connect() may reuse them after 1 s",
    };
    let (reuse, timestamps) = (sysctls.tcp_tw_reuse, sysctls.tcp_timestamps);
    let loopback = context.destination.daddr.is_loopback();
    if reuse == Some(1) || (reuse == Some(2) && loopback) {
        return if timestamps == Some(0) {
            vec!["# tcp_tw_reuse is on, but it needs timestamps:".into(), timestamps_on(context)]
        } else {
            Vec::new()
        };
    }
    let mut lines = vec![held.to_owned(), context.shell.command(REUSE)];
    match timestamps {
        Some(0) => lines.push(timestamps_on(context)),
        Some(_) => {}
        None => lines.push("# needs net.ipv4.tcp_timestamps=1, on both ends".into()),
    }
    lines
}

fn timestamps_on(context: &DestinationContext<'_>) -> String {
    context.shell.command("sysctl -w net.ipv4.tcp_timestamps=1")
}

/// Risks of a wider range and of reusing ports in TIME_WAIT.
pub(super) const MORE_PORTS_RISK: &str = "a wider range may take ports that a listener wants later: reserve those first; \
    tcp_tw_reuse=1 relies on the timestamps of both ends to tell old segments from new";

/// The expected gain of a wider range, with the numbers of this destination.
pub(super) fn more_ports_gain(context: &DestinationContext<'_>) -> Option<String> {
    let visited = context.tally.second_pass_visited.mean();
    let searches = visited.map_or("below the cliff a search visits a port or two".to_owned(), |visited| {
        format!("below the cliff a search visits a port or two instead of {}", grouped(visited))
    });
    match wider(context) {
        Some((ports, new_ports)) => Some(format!(
            "a wider range has room for {} more connections before the cliff, {} before the end; {searches}",
            grouped((new_ports - ports) / 2),
            grouped(new_ports - ports)
        )),
        None => visited.map(|_| searches),
    }
}

/// Time left at the current rate, as in `, gone in 12 min at the current rate`.
pub(super) fn within(seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) if seconds < 120.0 => format!(", gone in {seconds:.0} s at the current rate"),
        Some(seconds) if seconds < 86_400.0 => format!(", gone in {:.0} min at the current rate", seconds / 60.0),
        _ => String::new(),
    }
}

/// The number of ports now and with the proposed range, if widening is worth it. A sysctl cannot widen the range of a
/// socket beyond what its program set with IP_LOCAL_PORT_RANGE.
fn wider(context: &DestinationContext<'_>) -> Option<(u64, u64)> {
    let ports = match context.ports() {
        _ if context.tally.local_range > 0 => return None,
        Some(ports) => ports,
        None => {
            let (low, high) = context.shell.sysctls.ip_local_port_range?;
            u64::from(high.saturating_sub(low)) + 1
        }
    };
    let proposed = Range::of_namespace(Range::PROPOSED).ports();
    (ports < WIDE).then_some((ports, proposed.into()))
}

fn widen(context: &DestinationContext<'_>) -> Vec<String> {
    if context.tally.local_range > 0 {
        return vec!["# the program sets IP_LOCAL_PORT_RANGE on its sockets: widen it there".into()];
    }
    let Some((ports, new_ports)) = wider(context) else { return Vec::new() };
    let (new_low, new_high) = Range::PROPOSED;
    vec![
        format!(
            "# {} ports instead of {}: the cliff moves to {} connections per destination, from {}",
            grouped(new_ports),
            grouped(ports),
            grouped(new_ports / 2),
            grouped(ports / 2)
        ),
        "# first add the ports of your listeners to net.ipv4.ip_local_reserved_ports".into(),
        context.shell.command(&format!("sysctl -w net.ipv4.ip_local_port_range='{new_low} {new_high}'")),
    ]
}
