// SPDX-License-Identifier: MIT OR Apache-2.0
//! The port search, walked candidate by candidate from the kernel's starting point and the known taken ports:
//! net/ipv4/inet_hashtables.c, __inet_hash_connect().

use std::collections::HashSet;

/// Result of the search.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The port; `None`: EADDRNOTAVAIL.
    pub port: Option<u16>,
    pub visited: u32,
    /// Number of candidates whose four-tuple was tested and is in use.
    pub refused: u32,
}

/// Ports that a search visits.
#[derive(Default)]
pub struct Ports {
    /// Ports whose four-tuple to the destination is in use.
    pub in_use: HashSet<u16>,
    /// Reserved or explicitly bound ports, which are skipped without a test.
    pub skipped: HashSet<u16>,
}

/// Walks a range. `step_one`: the socket has a range of its own, on a kernel that then tries every port in turn.
pub fn walk(low: u16, high: u16, step_one: bool, port_offset: u64, perturb: u64, ports: &Ports) -> Found {
    let low = u32::from(low);
    let end = u32::from(high) + 1;
    let mut remaining = end - low;
    if !step_one && remaining > 1 {
        remaining &= !1;
    }
    let mut offset = (perturb as u32).wrapping_add((port_offset >> 32) as u32) % remaining;
    if !step_one {
        offset &= !1;
    }
    let mut found = Found { port: None, visited: 0, refused: 0 };
    let step = if step_one { 1 } else { 2 };
    loop {
        let mut port = low + offset;
        for _ in (0..remaining).step_by(step) {
            if port >= end {
                port -= remaining;
            }
            found.visited += 1;
            let candidate = port as u16;
            if ports.in_use.contains(&candidate) {
                found.refused += 1;
            } else if !ports.skipped.contains(&candidate) {
                found.port = Some(candidate);
                return found;
            }
            port += step as u32;
        }
        offset += 1;
        if step_one || offset & 1 == 0 || remaining == 1 {
            return found;
        }
    }
}
