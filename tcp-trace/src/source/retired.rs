// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of processes that have ended: taken out of the kernel's map while it fills, so that who comes later finds room,
//! and kept here.

use std::{
    collections::{HashMap, HashSet},
    fs,
    hash::Hash,
};

use anyhow::Result;
use aya::{Ebpf, Pod};
use tcp_trace_common::{
    Address, COMM_LEN,
    bind::{RawBindCounts, RawBindSite, RawBindTotals, RawBinder},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, event},
};

use super::batch::Table;

/// Kept apart at most. From there on, processes of one name that did the same are one; then those of one name.
const KEPT: usize = 4_096;

/// What totals are kept under.
pub(super) trait Key: Pod + Eq + Hash {
    /// Whose they are; 0 = nobody's.
    fn tgid(&self) -> u32;
    /// The same of any process.
    fn of_anybody(&self) -> Self;
    /// The same of any process towards anybody.
    fn of_any(&self) -> Self;
}

/// Totals.
pub(super) trait Sums: Pod {
    /// Nothing that is counted is still under way.
    fn is_over(&self) -> bool;
    /// Name of the process.
    fn comm(&self) -> [u8; COMM_LEN];
    /// Adds those of another.
    fn add(&mut self, other: &Self);
}

/// A map, and what was taken out of it.
pub(super) struct Retiring<K, V> {
    table: Table<K, V>,
    kept: HashMap<K, V>,
    /// Who stands for all that were merged.
    groups: HashMap<(K, [u8; COMM_LEN]), K>,
}

impl<K: Key, V: Sums> Retiring<K, V> {
    pub(super) fn take(ebpf: &mut Ebpf, name: &str) -> Result<Self> {
        Ok(Self { table: Table::take(ebpf, name)?, kept: HashMap::new(), groups: HashMap::new() })
    }

    /// All of them, those that are not in the map any more included.
    pub(super) fn read(&mut self) -> Vec<(K, V)> {
        let mut rows = Vec::new();
        if let Err(error) = self.table.read(|key, sums| rows.push((*key, *sums))) {
            tracing::warn!("totals of the kernel side cannot be read: {error:#}");
        }
        if rows.len() > self.table.room() / 2 {
            self.retire(&mut rows);
        }
        self.complete(&mut rows);
        rows
    }

    fn retire(&mut self, rows: &mut Vec<(K, V)>) {
        rows.retain(|(key, sums)| {
            let goes = key.tgid() != 0 && sums.is_over() && has_ended(key.tgid()) && self.table.remove(key);
            if goes {
                self.keep(*key, sums);
            }
            !goes
        });
    }

    fn complete(&self, rows: &mut Vec<(K, V)>) {
        if self.kept.is_empty() {
            return;
        }
        // A number that is used again, or that came in between.
        for (key, sums) in rows.iter_mut() {
            if let Some(kept) = self.kept.get(key) {
                sums.add(kept);
            }
        }
        let there: HashSet<K> = rows.iter().map(|(key, _)| *key).collect();
        rows.extend(self.kept.iter().filter(|(key, _)| !there.contains(key)).map(|(key, sums)| (*key, *sums)));
    }

    fn keep(&mut self, key: K, sums: &V) {
        let merged = |key: K| (key, sums.comm());
        let under = match self.kept.len() {
            ..KEPT => key,
            _ if self.groups.len() < KEPT => *self.groups.entry(merged(key.of_anybody())).or_insert(key),
            _ => *self.groups.entry(merged(key.of_any())).or_insert(key),
        };
        self.kept.entry(under).and_modify(|kept| kept.add(sums)).or_insert(*sums);
    }
}

fn has_ended(tgid: u32) -> bool {
    fs::metadata(format!("/proc/{tgid}")).is_err()
}

impl Key for RawPeer {
    fn tgid(&self) -> u32 {
        self.tgid
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        Self { tgid: 0, address: Address::default(), port: 0, ..*self }
    }
}

impl Key for RawBinder {
    fn tgid(&self) -> u32 {
        self.tgid
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}

impl Key for RawBindSite {
    fn tgid(&self) -> u32 {
        self.tgid
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, ..*self }
    }

    /// Addresses in other programs mean nothing here.
    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}

/// Binds from one place.
impl Sums for u64 {
    fn is_over(&self) -> bool {
        true
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        [0; COMM_LEN]
    }

    fn add(&mut self, other: &Self) {
        *self += other;
    }
}

impl Sums for RawStateTotals {
    fn is_over(&self) -> bool {
        self.states.iter().all(|state| state.inside == 0)
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        self.comm
    }

    fn add(&mut self, other: &Self) {
        for (into, from) in self.states.iter_mut().zip(&other.states) {
            into.inside = into.inside.wrapping_add(from.inside);
            into.inside_since_ns = into.inside_since_ns.wrapping_add(from.inside_since_ns);
            into.left += from.left;
            into.ns += from.ns;
            into.max_ns = into.max_ns.max(from.max_ns);
        }
        for (into, from) in self.lives.iter_mut().zip(other.lives) {
            *into += from;
        }
        self.opened = self.opened.wrapping_add(other.opened);
        self.closed += other.closed;
        self.closed_first += other.closed_first;
        self.peer_closed_first += other.peer_closed_first;
        self.linger_resets += other.linger_resets;
        self.unread_resets += other.unread_resets;
        self.peer_resets += other.peer_resets;
        self.timed_out += other.timed_out;
        self.bytes_received += other.bytes_received;
        self.bytes_acked += other.bytes_acked;
        self.lingering += other.lingering;
        self.lingering_ns += other.lingering_ns;
        self.lingering_max_ns = self.lingering_max_ns.max(other.lingering_max_ns);
    }
}

impl Sums for RawTimeWaitOwner {
    fn is_over(&self) -> bool {
        const LEFT: [u8; 5] = [event::EXPIRED, event::REUSED, event::SYN, event::RESET, event::OTHER];
        let left: u64 = LEFT.iter().map(|kind| self.events[usize::from(*kind)]).sum();
        self.events[usize::from(event::ENTER)] == left
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        self.comm
    }

    fn add(&mut self, other: &Self) {
        for (into, from) in self.events.iter_mut().zip(other.events) {
            *into += from;
        }
        self.entered_fin_wait2 += other.entered_fin_wait2;
        self.entered_without_timestamps += other.entered_without_timestamps;
    }
}

impl Sums for RawBindTotals {
    fn is_over(&self) -> bool {
        true
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        self.comm
    }

    fn add(&mut self, other: &Self) {
        for (into, from) in [(&mut self.any_port, &other.any_port), (&mut self.a_port, &other.a_port)] {
            let RawBindCounts { calls, in_use, connected, shared, took_ns } = into;
            *calls += from.calls;
            *in_use += from.in_use;
            *connected += from.connected;
            *shared += from.shared;
            *took_ns += from.took_ns;
        }
        self.in_range += other.in_range;
    }
}
