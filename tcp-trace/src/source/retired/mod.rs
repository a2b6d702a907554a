// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of processes that have ended, and of idle namespaces and listeners: removed from the kernel's map while it
//! fills, so that new ones find room, and kept here.

mod keys;
mod sums;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use anyhow::Result;
use aya::{Ebpf, Pod};
use tcp_trace_common::COMM_LEN;

use super::batch::Table;

/// Upper limit of totals that are kept separately. Beyond it, processes of one name with the same peer are merged; then
/// those of one name.
const KEPT: usize = 4_096;

/// Key of totals.
pub(super) trait Key: Pod + Eq + Hash {
    /// Whether nothing more can be added, because the process has ended. `None`: the key names no process, so only
    /// idleness can show.
    fn has_ended(&self) -> Option<bool>;
    /// The key without its process.
    fn of_anybody(&self) -> Self;
    /// The key without its process and its peer.
    fn of_any(&self) -> Self;
    /// The key of several merged totals: the first one of them, if that is still correct.
    fn of_all(&self) -> Self {
        *self
    }
}

/// Totals that can be added up.
pub trait Sums: Pod {
    /// Whether nothing that is counted is still in progress.
    fn is_over(&self) -> bool;
    /// Thread name of the process.
    fn comm(&self) -> [u8; COMM_LEN];
    /// Adds the totals of another.
    fn add(&mut self, other: &Self);
    /// A value that stays the same while nothing is added.
    fn fingerprint(&self) -> u64;
}

/// Moves what was remembered of merged rows to the rows that hold their totals now, so that a later difference does not count
/// it again.
pub fn carry<K: Copy + Eq + Hash, V: Sums, S: BuildHasher>(rows: &mut HashMap<K, V, S>, merged: &[(K, K)]) {
    for (key, into) in merged {
        if let Some(sums) = rows.remove(key) {
            rows.entry(*into).and_modify(|known| known.add(&sums)).or_insert(sums);
        }
    }
}

/// Does what [`carry`] does, for rows in a list.
pub fn carry_in_list<K: Copy + Eq + Hash, V: Sums>(rows: &mut Vec<(K, V)>, merged: &[(K, K)]) {
    if !merged.is_empty() {
        let mut by_key: HashMap<K, V> = rows.drain(..).collect();
        carry(&mut by_key, merged);
        rows.extend(by_key);
    }
}

/// A map, and the totals that were removed from it.
pub(super) struct Retiring<K, V> {
    table: Table<K, V>,
    retired: Retired<K, V>,
}

/// What was taken out of a map.
struct Retired<K, V> {
    kept: HashMap<K, V>,
    /// The key under which merged totals are kept.
    groups: HashMap<(K, [u8; COMM_LEN]), K>,
    /// Merged rows, each with the row that holds its totals now, until someone asks.
    merged: Vec<(K, K)>,
    /// Fingerprints at the last reading of totals without a process, while the map was filling.
    last: HashMap<K, u64>,
}

impl<K: Key, V: Sums> Retiring<K, V> {
    pub(super) fn take(ebpf: &mut Ebpf, name: &str) -> Result<Self> {
        Ok(Self { table: Table::take(ebpf, name)?, retired: Retired::new() })
    }

    /// All totals, including those that are no longer in the map.
    pub(super) fn read(&mut self) -> Result<Vec<(K, V)>> {
        let Self { table, retired } = self;
        let mut rows = Vec::new();
        table.read(|key, sums| rows.push((*key, *sums)))?;
        let is_filling = rows.len() > table.room() / 2;
        Ok(retired.pass(rows, is_filling, |key| table.remove(key)))
    }

    /// Takes the rows that were merged since the last call, each with the row that holds its totals now.
    pub(super) fn merged(&mut self) -> Vec<(K, K)> {
        std::mem::take(&mut self.retired.merged)
    }
}

impl<K: Key, V: Sums> Retired<K, V> {
    fn new() -> Self {
        Self { kept: HashMap::new(), groups: HashMap::new(), merged: Vec::new(), last: HashMap::new() }
    }

    /// Takes what is over out of a map that is filling, and adds to `rows` what was taken out of it before. `remove` takes a key
    /// out of the map, and returns whether it was there.
    fn pass(&mut self, mut rows: Vec<(K, V)>, is_filling: bool, remove: impl FnMut(&K) -> bool) -> Vec<(K, V)> {
        if is_filling {
            self.retire(&mut rows, remove);
            let of_nobody = rows.iter().filter(|(key, _)| key.has_ended().is_none());
            self.last = of_nobody.map(|(key, sums)| (*key, sums.fingerprint())).collect();
        } else {
            self.last.clear();
        }
        self.complete(&mut rows);
        rows
    }

    fn retire(&mut self, rows: &mut Vec<(K, V)>, mut remove: impl FnMut(&K) -> bool) {
        rows.retain(|(key, sums)| {
            // An addition at the very moment of the removal is lost, because a program may be running.
            let rests = || self.last.get(key) == Some(&sums.fingerprint());
            let goes = sums.is_over() && key.has_ended().unwrap_or_else(rests) && remove(key);
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
        // A key that a program added again meanwhile.
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
            _ if self.kept.contains_key(&key) => key,
            _ if self.groups.len() < KEPT => *self.groups.entry(merged(key.of_anybody())).or_insert(key.of_all()),
            _ => *self.groups.entry(merged(key.of_any())).or_insert(key.of_all()),
        };
        if under != key {
            self.merged.push((key, under));
        }
        self.kept.entry(under).and_modify(|kept| kept.add(sums)).or_insert(*sums);
    }
}
