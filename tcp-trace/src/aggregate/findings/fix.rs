// SPDX-License-Identifier: MIT OR Apache-2.0
//! What to do, in lines that are safe to paste: commands that are right for this kernel, and comments.

use super::{Scene, grouped};

/// Wider than this a range is wide already: what is left belongs to listeners.
const WIDE: u64 = 50_000;
/// The range proposed. The low end stays even, as does the width.
const PROPOSED: (u64, u64) = (10_240, 65_535);

/// For want of local ports towards one destination.
pub(super) fn more_ports(scene: &Scene<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(namespace(scene));
    lines.push(
        "# keep connections open: a pool, or keep-alive to this destination, needs a port per connection \
         instead of one per request"
            .into(),
    );
    lines.extend(reuse(scene));
    lines.extend(widen(scene));
    lines.push(
        "# or spread: the limit is per source and destination address, so a second address on either \
         side doubles the ports"
            .into(),
    );
    if scene.rules.socket_range_steps_by_one && scene.tally.local_range == 0 {
        lines.push(
            "# or setsockopt(IPPROTO_IP, IP_LOCAL_PORT_RANGE): this kernel then tries every port in one \
             pass, with no cliff at half of the range"
                .into(),
        );
    }
    if !scene.rules.rcu_lookup {
        lines.push(
            "# a kernel from 6.15 on looks taken ports up without a lock: each candidate then costs \
             less"
                .into(),
        );
    }
    lines
}

/// For want of room in TIME_WAIT; `own`: in the namespace that this runs in.
pub(super) fn more_time_wait(own: bool, limit: Option<u64>) -> Vec<String> {
    let mut lines = Vec::new();
    if !own {
        lines.push("# inside that network namespace (nsenter -t PID -n):".into());
    }
    match limit {
        Some(limit) => lines.push(format!("sysctl -w net.ipv4.tcp_max_tw_buckets={}", (limit * 2).max(65_536))),
        None => lines.push("# raise net.ipv4.tcp_max_tw_buckets; each entry takes about 250 bytes".into()),
    }
    lines.push("# and keep connections open: fewer closes, fewer entries".into());
    lines
}

/// Sysctls are per namespace: says where to write them if it is not here.
fn namespace(scene: &Scene<'_>) -> Option<String> {
    if own(scene) {
        return None;
    }
    let pid = scene.tally.caller.as_ref()?.pid;
    Some(
        format!("# the settings below belong to network namespace {}: prefix them with", scene.destination.netns)
            + &format!(" nsenter -t {pid} -n"),
    )
}

fn own(scene: &Scene<'_>) -> bool {
    scene.sysctls.netns.is_none_or(|netns| netns == scene.destination.netns)
}

fn reuse(scene: &Scene<'_>) -> Vec<String> {
    const REUSE: &str = "sysctl -w net.ipv4.tcp_tw_reuse=1";
    let held = match scene.held_by_time_wait() {
        Some(false) => return Vec::new(),
        Some(true) => "# TIME_WAIT holds the ports: connect() may take them over after 1 s",
        None => "# if it is TIME_WAIT that holds the ports (not known): connect() may take them over after 1 s",
    };
    let (reuse, timestamps) =
        if own(scene) { (scene.sysctls.tcp_tw_reuse, scene.sysctls.tcp_timestamps) } else { (None, None) };
    let loopback = scene.destination.daddr.is_loopback();
    if reuse == Some(1) || (reuse == Some(2) && loopback) {
        return if timestamps == Some(0) {
            vec!["# tcp_tw_reuse is on, but needs timestamps:".into(), timestamps_on()]
        } else {
            Vec::new()
        };
    }
    let mut lines = vec![held.to_owned(), REUSE.to_owned()];
    match timestamps {
        Some(0) => lines.push(timestamps_on()),
        Some(_) => {}
        None => lines.push("# needs net.ipv4.tcp_timestamps=1, on both ends".into()),
    }
    lines
}

fn timestamps_on() -> String {
    "sysctl -w net.ipv4.tcp_timestamps=1".into()
}

/// A socket's own range can't be widened by sysctl beyond what its program asked for.
fn widen(scene: &Scene<'_>) -> Vec<String> {
    if scene.tally.local_range > 0 {
        return vec!["# the program sets IP_LOCAL_PORT_RANGE on its sockets: widen it there".into()];
    }
    let own_range = scene.sysctls.ip_local_port_range.filter(|_| own(scene));
    let Some((low, high)) = scene.tally.range.or(own_range) else { return Vec::new() };
    let ports = u64::from(high - low) + 1;
    if ports >= WIDE {
        return Vec::new();
    }
    let (new_low, new_high) = PROPOSED;
    let new_ports = new_high - new_low + 1;
    vec![
        format!(
            "# {} ports instead of {}: the cliff comes at {} connections to one destination instead of {}",
            grouped(new_ports),
            grouped(ports),
            grouped(new_ports / 2),
            grouped(ports / 2)
        ),
        "# put the ports of your listeners into net.ipv4.ip_local_reserved_ports first".into(),
        format!("sysctl -w net.ipv4.ip_local_port_range='{new_low} {new_high}'"),
    ]
}
