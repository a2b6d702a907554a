// SPDX-License-Identifier: MIT OR Apache-2.0
//! The derivation against a scan that walks port by port as `__inet_hash_connect` does.

extern crate std;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{PortSearch, SourcePort, Walk, derive};
use crate::connect::{RawConnect, ended, flag};

const TABLE: usize = 16;
const PERTURBED: Walk = Walk { socket_range_steps_by_one: false, perturb_table: true, seen: true };
const UNPERTURBED: Walk = Walk { perturb_table: false, ..PERTURBED };

/// A kernel with one table, one range and some ports that can't be had.
#[derive(Clone, Debug)]
struct Kernel {
    low: i32,
    high: i32,
    /// Asked about and refused.
    in_use: BTreeSet<i32>,
    /// Skipped without a question.
    skipped: BTreeSet<i32>,
    /// Has owners, but the four-tuple is free: asked about and accepted.
    shared: BTreeSet<i32>,
    table: [u32; TABLE],
    step_width: u32,
    steps_by_one: bool,
}

#[derive(Debug, Default)]
struct Scan {
    visited: u32,
    refused: u32,
    first_asked: i32,
    port: Option<i32>,
    passes: u32,
}

impl Kernel {
    /// 7.2 net/ipv4/inet_hashtables.c, with the lines in its order and nothing computed ahead.
    fn connect(&mut self, port_offset: u64, socket: Option<(i32, i32)>, dice: [u32; 2]) -> (Scan, u32, u32) {
        let (mut low, mut high) = (self.low, self.high);
        if let Some((sk_low, sk_high)) = socket {
            if low <= sk_low && sk_low <= high {
                low = sk_low;
            }
            if low <= sk_high && sk_high <= high {
                high = sk_high;
            }
        }
        let local_ports = socket.is_some() && self.steps_by_one;
        let step = if local_ports { 1 } else { 2 };
        let mut scan_step = step;
        high += 1;
        let mut remaining = high - low;
        if !local_ports && remaining > 1 {
            remaining &= !1;
        }
        let index = port_offset as usize % TABLE;
        let mut offset = self.table[index].wrapping_add((port_offset >> 32) as u32);
        offset %= remaining as u32;
        if !local_ports {
            offset &= !1;
        }
        if self.step_width != 0 && remaining > 1 {
            let range = remaining / step;
            let upper_bound = range.min(self.step_width as i32);
            scan_step = 1 + (dice[0] % upper_bound as u32) as i32;
            while gcd(scan_step, range) != 1 {
                scan_step += 1;
                if scan_step & 1 == 0 && range & 1 == 0 {
                    scan_step += 1;
                }
                if scan_step > upper_bound {
                    scan_step = 1;
                    break;
                }
            }
            scan_step *= step;
        }
        let before = self.table[index];
        let mut scan = Scan::default();
        loop {
            scan.passes += 1;
            let mut port = low + offset as i32;
            let mut i = 0;
            while i < remaining {
                if port >= high {
                    port -= remaining;
                }
                scan.visited += 1;
                if !self.skipped.contains(&port) {
                    let asked = self.in_use.contains(&port) || self.shared.contains(&port);
                    if asked && scan.first_asked == 0 {
                        scan.first_asked = port;
                    }
                    if !self.in_use.contains(&port) {
                        scan.port = Some(port);
                        let i = i.max((dice[1] % 8) as i32 * step);
                        self.table[index] = self.table[index].wrapping_add((i + step) as u32);
                        return (scan, before, self.table[index]);
                    }
                    scan.refused += 1;
                }
                i += step;
                port += scan_step;
            }
            if local_ports {
                break;
            }
            offset += 1;
            if offset & 1 == 0 || remaining <= 1 {
                break;
            }
        }
        (scan, before, self.table[index])
    }
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn walk(kernel: &Kernel) -> Walk {
    Walk { socket_range_steps_by_one: kernel.steps_by_one, ..PERTURBED }
}

fn raw(kernel: &Kernel, port_offset: u64, socket: Option<(i32, i32)>, seen: &(Scan, u32, u32)) -> RawConnect {
    let (scan, before, after) = seen;
    RawConnect {
        flags: flag::SEARCH_ENTERED | flag::SEARCH_LEFT | flag::RANGE | flag::PERTURB | flag::PROBED,
        port_offset,
        perturb_before: *before,
        perturb_after: *after,
        step_width: kernel.step_width,
        socket_range: socket.map_or(0, |(low, high)| (high as u32) << 16 | low as u32),
        search_ret: if scan.port.is_some() { 0 } else { -99 },
        sport: scan.port.unwrap_or(0) as u16,
        range_low: kernel.low as u16,
        range_high: kernel.high as u16,
        refused_candidates: scan.refused,
        first_candidate: scan.first_asked as u16,
        ended_by: if scan.port.is_some() { ended::ESTABLISHED } else { ended::CALL_FAILED },
        ..RawConnect::default()
    }
}

prop_compose! {
    fn kernels()(
        low in 1..65_400_i32,
        width in prop_oneof![1..=6_i32, 1..=80_i32],
        fill in 0..=100_u32,
        skips in prop_oneof![Just(0_u32), 0..=30_u32],
        steps_by_one: bool,
        step_width in prop_oneof![3 => Just(0_u32), 1 => Just(1), 2 => 2..40_u32],
        table: [u32; TABLE],
        seed in prop::collection::vec(0..100_u32, 240),
    ) -> Kernel {
        let high = (low + width - 1).min(65_535);
        let pick = |limit: u32, part: usize| (low..=high)
            .filter(|port| seed[part * 80 + (port - low) as usize] < limit).collect::<BTreeSet<_>>();
        Kernel { low, high, in_use: pick(fill, 0), skipped: pick(skips, 1), shared: pick(50, 2), table, step_width,
            steps_by_one }
    }
}

fn sockets() -> impl Strategy<Value = Option<(i32, i32)>> {
    let half = || prop_oneof![Just(0), 0..80_i32];
    prop_oneof![Just(None), (half(), half()).prop_map(Some)]
}

/// As `setsockopt` takes them: the low half not above the high one where both are set, and not both unset.
fn socket_of(kernel: &Kernel, halves: Option<(i32, i32)>) -> Option<(i32, i32)> {
    let (low, high) = halves?;
    let at = |half: i32| if half == 0 { 0 } else { (kernel.low + half - 20).clamp(1, 65_535) };
    let (low, high) = (at(low), at(high));
    match (low, high) {
        (0, 0) => None,
        (low, high) if low != 0 && high != 0 => Some((low.min(high), low.max(high))),
        halves => Some(halves),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn agrees_with_the_scan(
        mut kernel in kernels(), halves in sockets(), offsets in prop::collection::vec(any::<u64>(), 1..4),
        dice: [u32; 2],
    ) {
        let socket = socket_of(&kernel, halves);
        for offset in offsets {
            let scan = kernel.connect(offset, socket, dice);
            let raw = raw(&kernel, offset, socket, &scan);
            let derived = derive(&raw, walk(&kernel));
            prop_assert_eq!(derived.second_pass, Some(scan.0.passes == 2), "{:?}", scan);
            let source = if socket.is_some() { SourcePort::LocalRange } else { SourcePort::Ephemeral };
            prop_assert_eq!(derived.source_port, Some(source));
            if kernel.step_width <= 1 && scan.1 != 0 {
                prop_assert_eq!(derived.visited, Some(scan.0.visited), "{:?}", scan);
            } else if let Some(visited) = derived.visited {
                prop_assert_eq!(visited, scan.0.visited, "{:?}", scan);
            }
        }
    }

    #[test]
    fn counts_without_the_table(mut kernel in kernels(), halves in sockets(), offset: u64, dice: [u32; 2]) {
        kernel.step_width = 0;
        kernel.skipped.clear();
        let socket = socket_of(&kernel, halves);
        let scan = kernel.connect(offset, socket, dice);
        let mut raw = raw(&kernel, offset, socket, &scan);
        raw.flags &= !flag::PERTURB;
        prop_assert_eq!(derive(&raw, walk(&kernel)).visited, Some(scan.0.visited), "{:?}", scan);
        raw.flags &= !flag::PROBED;
        let unprobed = derive(&raw, walk(&kernel));
        prop_assert_eq!(unprobed.visited, scan.0.port.is_none().then_some(scan.0.visited));
        prop_assert_eq!(unprobed.second_pass, Some(scan.0.passes == 2));
    }

    #[test]
    fn never_counts_too_many_without_the_table(mut kernel in kernels(), offset: u64, dice: [u32; 2]) {
        kernel.step_width = 0;
        let scan = kernel.connect(offset, None, dice);
        let mut raw = raw(&kernel, offset, None, &scan);
        raw.flags &= !flag::PERTURB;
        if let Some(visited) = derive(&raw, walk(&kernel)).visited {
            prop_assert!(visited <= scan.0.visited, "{} of {:?}", visited, scan);
        }
    }
}

fn chosen(port: u16) -> RawConnect {
    RawConnect {
        flags: flag::SEARCH_ENTERED | flag::SEARCH_LEFT | flag::RANGE | flag::PERTURB,
        perturb_before: 32_768,
        perturb_after: 32_768 + 16,
        range_low: 32_768,
        range_high: 60_999,
        sport: port,
        ended_by: ended::ESTABLISHED,
        ..RawConnect::default()
    }
}

#[test]
fn first_connect_after_boot_is_not_known() {
    let raw = RawConnect { perturb_before: 0, ..chosen(40_000) };
    let derived = derive(&raw, PERTURBED);
    assert_eq!((derived.visited, derived.second_pass), (None, Some(false)));
}

#[test]
fn a_bound_socket_searches_nothing() {
    let raw = RawConnect { bound_port: 40_001, ..chosen(40_001) };
    let derived = derive(&raw, UNPERTURBED);
    assert_eq!(derived, PortSearch { source_port: Some(SourcePort::Bound), ..PortSearch::default() });
}

#[test]
fn nothing_is_known_of_a_search_that_was_not_seen() {
    let raw = RawConnect { flags: flag::RANGE | flag::PERTURB, ..chosen(40_001) };
    assert_eq!(derive(&raw, UNPERTURBED), PortSearch::default());
}

#[test]
fn no_memory_is_not_an_exhausted_range() {
    let raw = RawConnect { search_ret: -12, sport: 0, ended_by: ended::CALL_FAILED, ..chosen(0) };
    let derived = derive(&raw, UNPERTURBED);
    assert_eq!((derived.visited, derived.second_pass), (None, None));
}

#[test]
fn tracepoints_know_the_parity_alone() {
    let raw = RawConnect { flags: flag::SYN_SENT | flag::RANGE, ..chosen(40_001) };
    let derived = derive(&raw, PERTURBED);
    assert_eq!((derived.visited, derived.second_pass), (None, Some(true)));
    assert_eq!(derived.range, Some((32_768, 60_999)));
}

#[test]
fn a_port_outside_the_range_answers_nothing() {
    let derived = derive(&chosen(1_024), PERTURBED);
    assert_eq!((derived.visited, derived.second_pass), (None, None));
}
