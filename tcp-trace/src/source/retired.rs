// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of processes that have ended, and of idle namespaces and listeners: removed from the kernel's map while it
//! fills, so that new ones find room, and kept here.

use std::{
    collections::{HashMap, HashSet},
    fs,
    hash::{BuildHasher, Hash},
};

use anyhow::Result;
use aya::{Ebpf, Pod};
use foldhash::fast::FixedState;
use tcp_trace_common::{
    Address, COMM_LEN,
    bind::{RawBindCounts, RawBindSite, RawBindTotals, RawBinder},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals, event},
};

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

fn hash(sums: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(sums)
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

/// Totals without a process have no process that could end.
fn has_ended(tgid: u32) -> bool {
    tgid != 0 && fs::metadata(format!("/proc/{tgid}")).is_err()
}

/// Key: inode number of a network namespace.
impl Key for u32 {
    fn has_ended(&self) -> Option<bool> {
        None
    }

    fn of_anybody(&self) -> Self {
        0
    }

    fn of_any(&self) -> Self {
        0
    }

    /// No namespace: totals of several must not appear under one of them.
    fn of_all(&self) -> Self {
        0
    }
}

impl Key for RawListenerKey {
    fn has_ended(&self) -> Option<bool> {
        None
    }

    fn of_anybody(&self) -> Self {
        Self { sk: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        Self { sk: 0, port: 0, saddr: Address::default(), ..*self }
    }
}

impl Key for RawPeer {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, address: Address::default(), port: 0, ..*self }
    }
}

impl Key for RawBinder {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}

impl Key for RawBindSite {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    /// Addresses of another program have no meaning here.
    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}

/// Totals: binds from one call site.
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

    fn fingerprint(&self) -> u64 {
        *self
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

    fn fingerprint(&self) -> u64 {
        hash((self.opened, self.closed))
    }
}

/// Whether as many left TIME_WAIT as entered it.
fn all_left(events: &[u64; event::COUNT]) -> bool {
    const LEFT: [u8; 5] = [event::EXPIRED, event::REUSED, event::SYN, event::RESET, event::OTHER];
    let left: u64 = LEFT.iter().map(|kind| events[usize::from(*kind)]).sum();
    events[usize::from(event::ENTER)] == left
}

impl Sums for RawTimeWaitTotals {
    /// Minisockets that entered before the programs were attached leave too, so the sums need not be equal.
    fn is_over(&self) -> bool {
        self.level == 0 || all_left(&self.events)
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        [0; COMM_LEN]
    }

    /// Keeps the level and its limit of now.
    fn add(&mut self, other: &Self) {
        for (into, from) in self.events.iter_mut().zip(other.events) {
            *into += from;
        }
        self.entered_fin_wait2 += other.entered_fin_wait2;
    }

    fn fingerprint(&self) -> u64 {
        hash((self.events, self.level))
    }
}

impl Sums for RawListener {
    fn is_over(&self) -> bool {
        self.accept_queue == 0 && self.syn_queue == 0
    }

    fn comm(&self) -> [u8; COMM_LEN] {
        self.owner_comm
    }

    /// Keeps the queues, their limit and the owner of now.
    fn add(&mut self, other: &Self) {
        for (into, from) in self.drops.iter_mut().zip(other.drops) {
            *into += from;
        }
        self.syns += other.syns;
        self.cookies += other.cookies;
        self.queued += other.queued;
        self.accepted += other.accepted;
        self.lookups += other.lookups;
        self.lookup_ns += other.lookup_ns;
        self.accept_high = self.accept_high.max(other.accept_high);
        self.syn_high = self.syn_high.max(other.syn_high);
    }

    fn fingerprint(&self) -> u64 {
        hash((self.syns, self.drops, self.queued, self.accepted, self.lookups))
    }
}

impl Sums for RawTimeWaitOwner {
    fn is_over(&self) -> bool {
        all_left(&self.events)
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

    fn fingerprint(&self) -> u64 {
        hash(self.events)
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

    fn fingerprint(&self) -> u64 {
        hash((self.any_port.calls, self.a_port.calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No process has it.
    const ENDED: u32 = u32::MAX;

    fn sorted<K: Copy + Ord, V>(mut rows: Vec<(K, V)>) -> Vec<(K, V)> {
        rows.sort_by_key(|(key, _)| *key);
        rows
    }

    #[test]
    fn places_that_bind_make_room_once_their_process_has_ended_and_stay_in_the_answer() {
        let site = |tgid, frame| RawBindSite { process_start_ns: 1, tgid, any_port: 1, frames: [frame, 0, 0, 0] };
        let own = std::process::id();
        let mut sites: Retired<RawBindSite, u64> = Retired::new();
        let rows = vec![(site(own, 1), 3), (site(ENDED, 1), 5), (site(ENDED, 2), 7)];
        let calls = |rows: Vec<(RawBindSite, u64)>| {
            let mut calls: Vec<_> = rows.into_iter().map(|(site, calls)| (site.tgid, site.frames[0], calls)).collect();
            calls.sort_unstable();
            calls
        };
        let all = [(own, 1, 3), (ENDED, 1, 5), (ENDED, 2, 7)];
        // There is room: nothing goes.
        assert_eq!(calls(sites.pass(rows.clone(), false, |_| panic!("nothing is taken out"))), all);
        // What cannot be taken out stays, and is not added a second time.
        assert_eq!(calls(sites.pass(rows.clone(), true, |_| false)), all);
        let mut taken = Vec::new();
        let answered = sites.pass(rows, true, |site| {
            taken.push((site.tgid, site.frames[0]));
            true
        });
        assert_eq!((calls(answered), taken), (all.into(), vec![(ENDED, 1), (ENDED, 2)]));
        // A process that has the number again, at the same place.
        let left = vec![(site(own, 1), 4), (site(ENDED, 2), 1)];
        assert_eq!(calls(sites.pass(left, false, |_| false)), [(own, 1, 4), (ENDED, 1, 5), (ENDED, 2, 8)]);
    }

    #[test]
    fn a_namespace_makes_room_when_nothing_was_added_between_two_looks() {
        let of = |entered: u64, left: u64| {
            let mut totals = RawTimeWaitTotals { level: (entered - left) as u32, ..RawTimeWaitTotals::default() };
            (totals.events[usize::from(event::ENTER)], totals.events[usize::from(event::EXPIRED)]) = (entered, left);
            totals
        };
        let mut spaces: Retired<u32, RawTimeWaitTotals> = Retired::new();
        let mut look = |rows: &[(u32, RawTimeWaitTotals)], is_filling| {
            let mut taken = Vec::new();
            let answered = spaces.pass(rows.to_vec(), is_filling, |netns| {
                taken.push(*netns);
                true
            });
            let entered = |(netns, totals): (u32, RawTimeWaitTotals)| (netns, totals.events[usize::from(event::ENTER)]);
            (sorted(answered).into_iter().map(entered).collect::<Vec<_>>(), taken)
        };
        let first = [(1, of(2, 2)), (2, of(3, 3)), (3, of(4, 1))];
        let entered = vec![(1, 2), (2, 3), (3, 4)];
        assert_eq!(look(&first, true), (entered.clone(), vec![]), "whether they are at rest is not known yet");
        assert_eq!(look(&first, false), (entered, vec![]), "there is room again");
        let second = [(1, of(2, 2)), (2, of(9, 9)), (3, of(4, 1))];
        look(&first, true);
        // One rests; to one something was added; in one some are in TIME_WAIT still.
        assert_eq!(look(&second, true), (vec![(1, 2), (2, 9), (3, 4)], vec![1]));
    }

    #[test]
    fn more_namespaces_than_are_kept_are_one_that_is_none_of_them() {
        const SPACES: u32 = KEPT as u32 + 904;
        let mut totals = RawTimeWaitTotals { entered_fin_wait2: 1, ..RawTimeWaitTotals::default() };
        (totals.events[usize::from(event::ENTER)], totals.events[usize::from(event::EXPIRED)]) = (2, 2);
        let rows: Vec<_> = (1..=SPACES).map(|netns| (netns, totals)).collect();
        let mut spaces: Retired<u32, RawTimeWaitTotals> = Retired::new();
        let mut told: HashMap<_, _> = spaces.pass(rows.clone(), true, |_| true).into_iter().collect();
        for answered in [spaces.pass(rows, true, |_| true), spaces.pass(Vec::new(), false, |_| true)] {
            let answered: HashMap<_, _> = answered.into_iter().collect();
            assert_eq!(answered.len(), KEPT + 1);
            let entered = |totals: &RawTimeWaitTotals| totals.events[usize::from(event::ENTER)];
            assert_eq!(entered(&answered[&0]), 2 * 904, "under no namespace");
            assert_eq!(answered.values().map(entered).sum::<u64>(), 2 * u64::from(SPACES));
            assert_eq!(answered.values().map(|totals| totals.entered_fin_wait2).sum::<u64>(), u64::from(SPACES));
            assert!(answered.iter().filter(|(netns, _)| **netns != 0).all(|(_, totals)| entered(totals) == 2));
            carry(&mut told, &std::mem::take(&mut spaces.merged));
            let same = |(netns, totals): (&u32, &RawTimeWaitTotals)| entered(totals) == entered(&answered[netns]);
            assert!(told.len() == answered.len() && told.iter().all(same), "nothing happened meanwhile");
        }
    }

    #[test]
    fn more_processes_than_are_kept_are_one_of_each_name() {
        const OF_A_NAME: u32 = KEPT as u32;
        let binder = |number: u32| RawBinder { process_start_ns: 1, tgid: u32::MAX - number, netns: 1 };
        let name =
            |number: u32| if number.is_multiple_of(2) { *b"curl\0\0\0\0\0\0\0\0\0\0\0\0" } else { [b'x'; COMM_LEN] };
        let totals = |number| {
            let counts = RawBindCounts { calls: 3, took_ns: 5, ..RawBindCounts::default() };
            RawBindTotals { any_port: counts, comm: name(number), ..RawBindTotals::default() }
        };
        let rows: Vec<_> = (0..2 * OF_A_NAME).map(|number| (binder(number), totals(number))).collect();
        let mut binders: Retired<RawBinder, RawBindTotals> = Retired::new();
        let mut told = binders.pass(rows.clone(), true, |_| false);
        let answered = binders.pass(rows, true, |_| true);
        carry_in_list(&mut told, &binders.merged);
        let calls = |rows: &[(RawBinder, RawBindTotals)]| {
            let mut calls: Vec<_> = rows.iter().map(|(key, totals)| (key.tgid, totals.any_port.calls)).collect();
            calls.sort_unstable();
            calls
        };
        assert_eq!(calls(&told), calls(&answered), "nothing happened meanwhile");
        assert_eq!(answered.len(), KEPT + 2, "each name has one for all others");
        for comm in [name(0), name(1)] {
            let of_name = answered.iter().filter(|(_, totals)| totals.comm == comm);
            assert_eq!(of_name.map(|(_, totals)| totals.any_port.calls).sum::<u64>(), 3 * u64::from(OF_A_NAME));
        }
        // A number that is used again, of one that is kept apart: it still is.
        let kept =
            *answered.iter().map(|(key, _)| key).find(|key| binders.kept[*key].any_port.calls == 3).expect("one");
        binders.merged.clear();
        let again = binders.pass(vec![(kept, totals(u32::MAX - kept.tgid))], true, |_| true);
        let calls =
            |rows: &[(RawBinder, RawBindTotals)]| rows.iter().map(|(_, totals)| totals.any_port.calls).sum::<u64>();
        assert_eq!((again.len(), calls(&again) - calls(&answered), binders.merged.len()), (KEPT + 2, 3, 0));
    }
}
