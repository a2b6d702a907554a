// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts by process and destination, as the kernel side adds them up: drained, with shards summed, in plain types.

use std::{collections::HashMap, io};

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray},
};
use tcp_trace_common::{
    connect_rows::{self, FIRST_OF_PORTS, FIRST_OF_TIMES, RawRow, RawRowKey, RawSpread, RawSum},
    names,
};
use zerocopy::FromZeros as _;

use super::batch::Table;
use crate::{
    event::Comm,
    kernel::cpus::cpus,
    model::{
        address::address,
        folded::{FoldedCounts, FoldedRow, FoldedSpread, FoldedSum},
    },
};

/// Number of places that are reserved in the generation in use: each one takes a system call.
const HEAVIEST: usize = 64;

/// The two generations of rows, and the attempts that found no room in them.
pub struct ConnectRows {
    tables: [Table<RawRowKey, RawRow>; 2],
    full: Array<MapData, u64>,
    other: PerCpuArray<MapData, RawRow>,
    /// Content of `other` at the last reading.
    seen_other: [RawRow; 2],
    /// The generation that programs add to.
    generation: u32,
    /// The rows of the last generation with most attempts, if it was filling up: they get a place in the next
    /// generation first.
    heavy: Vec<RawRowKey>,
    /// Taken out of a table and not given out yet: empty, unless the last time something could not be read.
    sums: HashMap<RawRowKey, RawRow>,
}

/// Attempts that were added up since the last drain.
#[derive(Debug, Default)]
pub struct Drained {
    /// Rows by process and destination.
    pub rows: Vec<FoldedRow>,
    /// Attempts that found no room.
    pub other: FoldedCounts,
}

impl ConnectRows {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// When the object lacks a map.
    pub fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let tables = [Table::take(ebpf, names::CONNECT_ROWS_0)?, Table::take(ebpf, names::CONNECT_ROWS_1)?];
        let mut take = |name| ebpf.take_map(name).with_context(|| format!("no map {name} in the object"));
        Ok(Self {
            tables,
            full: Array::try_from(take(names::CONNECT_ROWS_FULL)?)?,
            other: PerCpuArray::try_from(take(names::CONNECT_OTHER)?)?,
            seen_other: [RawRow::new_zeroed(); 2],
            generation: 0,
            heavy: Vec::new(),
            sums: HashMap::new(),
        })
    }

    /// Whether any row found no room since the last drain.
    pub fn are_full(&self) -> bool {
        self.full.get(&self.generation, 0).is_ok_and(|full| full != 0)
    }

    /// Drains the rows since the last time. `turn` makes programs add to the given generation, and returns once no
    /// program adds to the other one.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn drain(&mut self, turn: impl FnOnce(u32)) -> anyhow::Result<Drained> {
        let (old, new) = (self.generation as usize, 1 - self.generation as usize);
        if let Err(error) = self.tables[new].put(&self.heavy, RawRow::new_zeroed()) {
            tracing::debug!("cannot reserve places for the largest rows: {error}");
        }
        turn(new as u32);
        self.generation = new as u32;
        let sums = &mut self.sums;
        let mut taken = 0;
        self.tables[old].drain(|key, row| {
            taken += 1;
            if row.attempts() > 0 {
                add(sums.entry(RawRowKey { shard: 0, ..*key }).or_insert_with(RawRow::new_zeroed), row);
            }
        })?;
        self.full.set(old as u32, 0, 0)?;
        self.heavy.clear();
        let share = self.tables[old].room() / 4;
        if taken > share {
            let mut attempts: Vec<_> = sums.iter().map(|(key, row)| (row.attempts(), *key)).collect();
            attempts.sort_unstable_by_key(|(count, _)| std::cmp::Reverse(*count));
            // A key on each CPU: a shard that does not exist yet would find no room either.
            let shards = connect_rows::shards(cpus());
            let heaviest = attempts.iter().take(share / shards as usize);
            let places = heaviest.flat_map(|(_, key)| (0..shards).map(|shard| RawRowKey { shard, ..*key }));
            self.heavy.extend(places);
            // The keys that fill the map may not be in yet, and the very heaviest need not wait for the next turn.
            for key in self.heavy.iter().take(HEAVIEST) {
                self.tables[new].put_if_absent(key, RawRow::new_zeroed());
            }
        }
        let other = self.other_since_last(old)?;
        let sums = std::mem::take(&mut self.sums);
        let mut rows: Vec<_> = sums.iter().map(|(key, row)| folded_row(key, row)).collect();
        rows.sort_unstable_by_key(|row| (row.netns, row.pid, row.process_start_ns, row.daddr, row.dport));
        Ok(Drained { rows, other })
    }

    fn other_since_last(&mut self, generation: usize) -> io::Result<FoldedCounts> {
        let per_cpu = self.other.get(&(generation as u32), 0).map_err(io::Error::other)?;
        let mut now = RawRow::new_zeroed();
        for row in per_cpu.iter() {
            add(&mut now, row);
        }
        let seen = std::mem::replace(&mut self.seen_other[generation], now);
        Ok(counts(&since(&now, &seen)))
    }
}

/// Combines each number of two rows; maxima are handled separately.
macro_rules! numbers {
    ($each:ident, $into:ident, $from:ident) => {
        $each!($into.second_pass_known, $from.second_pass_known);
        $each!($into.second_pass_looked, $from.second_pass_looked);
        $each!($into.second_pass, $from.second_pass);
        $each!($into.exhausted, $from.exhausted);
        $each!($into.unanswered, $from.unanswered);
        $each!($into.local_range, $from.local_range);
        $each!($into.syn_retransmits, $from.syn_retransmits);
        $each!($into.retransmitted, $from.retransmitted);
        $each!($into.mptcp, $from.mptcp);
        $each!($into.time_wait_reused, $from.time_wait_reused);
        $each!($into.skipped, $from.skipped);
    };
}

fn spreads(row: &mut RawRow) -> [&mut RawSpread; 4] {
    [&mut row.handshake_ns, &mut row.total_ns, &mut row.search_ns, &mut row.visited]
}

fn sums(row: &mut RawRow) -> [&mut RawSum; 5] {
    [
        &mut row.second_pass_search_ns,
        &mut row.other_search_ns,
        &mut row.second_pass_visited,
        &mut row.in_use,
        &mut row.time_wait,
    ]
}

/// Adds a shard, or the share of a CPU.
fn add(into: &mut RawRow, from: &RawRow) {
    let mut from = *from;
    for (into, from) in into.by_outcome.iter_mut().zip(from.by_outcome) {
        *into = into.wrapping_add(from);
    }
    for (into, from) in spreads(into).into_iter().zip(spreads(&mut from)) {
        into.sum = into.sum.wrapping_add(from.sum);
        into.max = into.max.max(from.max);
        for (into, from) in into.buckets.iter_mut().zip(from.buckets) {
            *into = into.wrapping_add(from);
        }
    }
    for (into, from) in sums(into).into_iter().zip(sums(&mut from)) {
        into.known = into.known.wrapping_add(from.known);
        into.sum = into.sum.wrapping_add(from.sum);
        into.max = into.max.max(from.max);
    }
    macro_rules! more {
        ($into:expr, $from:expr) => {
            $into = $into.wrapping_add($from)
        };
    }
    numbers!(more, into, from);
    into.retransmitted_max_ns = into.retransmitted_max_ns.max(from.retransmitted_max_ns);
    into.first_pass_search_max_ns = into.first_pass_search_max_ns.max(from.first_pass_search_max_ns);
    if into.comm == [0; 16] {
        (into.comm, into.uid, into.cgroup_id) = (from.comm, from.uid, from.cgroup_id);
    }
    if into.range_high == 0 {
        (into.range_low, into.range_high) = (from.range_low, from.range_high);
    }
}

/// The difference since `earlier`. Maxima are those since the start, if they can be part of it.
fn since(now: &RawRow, earlier: &RawRow) -> RawRow {
    let (mut now, mut earlier) = (*now, *earlier);
    for (now, earlier) in now.by_outcome.iter_mut().zip(earlier.by_outcome) {
        *now = now.wrapping_sub(earlier);
    }
    for (now, earlier) in spreads(&mut now).into_iter().zip(spreads(&mut earlier)) {
        now.sum = now.sum.wrapping_sub(earlier.sum);
        for (now, earlier) in now.buckets.iter_mut().zip(earlier.buckets) {
            *now = now.wrapping_sub(earlier);
        }
        let highest = now.buckets.iter().rposition(|count| *count > 0);
        now.max = now.max.min(now.sum).min(highest.map_or(0, |bucket| (2 << (bucket + FIRST_OF_TIMES as usize)) - 1));
    }
    for (now, earlier) in sums(&mut now).into_iter().zip(sums(&mut earlier)) {
        now.known = now.known.wrapping_sub(earlier.known);
        now.sum = now.sum.wrapping_sub(earlier.sum);
        now.max = now.max.min(now.sum);
    }
    macro_rules! less {
        ($now:expr, $earlier:expr) => {
            $now = $now.wrapping_sub($earlier)
        };
    }
    numbers!(less, now, earlier);
    if now.retransmitted == 0 {
        now.retransmitted_max_ns = 0;
    }
    now.first_pass_search_max_ns = now.first_pass_search_max_ns.min(now.search_ns.max);
    now
}

fn folded_row(key: &RawRowKey, row: &RawRow) -> FoldedRow {
    FoldedRow {
        netns: key.netns,
        pid: key.tgid,
        process_start_ns: key.process_start_ns,
        daddr: address(key.address.octets(), key.family),
        dport: key.port,
        comm: Comm::from_kernel(&row.comm),
        uid: row.uid,
        cgroup_id: row.cgroup_id,
        counts: counts(row),
    }
}

fn counts(row: &RawRow) -> FoldedCounts {
    let search_ns = times(&row.search_ns);
    let (second, other) = (sum(&row.second_pass_search_ns), sum(&row.other_search_ns));
    FoldedCounts {
        by_outcome: row.by_outcome,
        exhausted: row.exhausted,
        unanswered: row.unanswered,
        second_pass_known: row.second_pass_known,
        second_pass_looked: row.second_pass_looked,
        second_pass: row.second_pass,
        local_range: row.local_range,
        syn_retransmits: row.syn_retransmits,
        retransmitted: row.retransmitted,
        retransmitted_max_ns: row.retransmitted_max_ns,
        mptcp: row.mptcp,
        visited: spread(&row.visited, FIRST_OF_PORTS),
        handshake_ns: times(&row.handshake_ns),
        total_ns: times(&row.total_ns),
        second_pass_visited: sum(&row.second_pass_visited),
        second_pass_search_ns: second,
        first_pass_search_ns: FoldedSum {
            known: search_ns.known.saturating_sub(second.known + other.known),
            sum: search_ns.sum.saturating_sub(second.sum + other.sum),
            max: row.first_pass_search_max_ns,
        },
        search_ns,
        in_use: sum(&row.in_use),
        time_wait: sum(&row.time_wait),
        time_wait_reused: row.time_wait_reused,
        skipped: row.skipped,
        range: (row.range_high != 0).then_some((row.range_low, row.range_high)),
    }
}

fn sum(raw: &RawSum) -> FoldedSum {
    FoldedSum { known: raw.known, sum: raw.sum, max: raw.max }
}

fn times(raw: &RawSpread) -> FoldedSpread {
    spread(raw, FIRST_OF_TIMES)
}

fn spread(raw: &RawSpread, first: u32) -> FoldedSpread {
    let used = raw.buckets.iter().rposition(|count| *count > 0).map(|last| last + 1);
    let mut buckets = vec![0; used.map_or(0, |_| first as usize)];
    buckets.extend(&raw.buckets[..used.unwrap_or(0)]);
    FoldedSpread { known: raw.buckets.iter().map(|count| u64::from(*count)).sum(), sum: raw.sum, max: raw.max, buckets }
}
