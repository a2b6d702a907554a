// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the row in which an attempt is added up: see `tcp_trace_common::connect_rows`.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_smp_processor_id};
use tcp_trace_common::{
    connect::RawConnect,
    connect_rows::{RawRow, RawRowKey},
};

use crate::{
    detail::Detail,
    globals::config,
    maps::{CONNECT_OTHER, CONNECT_ROWS_0, CONNECT_ROWS_1, CONNECT_ROWS_FULL, NO_ROW},
};

const E2BIG: i32 = 7;

/// The row of an attempt.
pub struct Place {
    /// The row, or the one for attempts that found no room.
    pub row: &'static mut RawRow,
    /// Whether the attempt is the first in its row.
    pub fresh: bool,
}

#[inline(always)]
fn key(attempt: &RawConnect, shard: u32) -> RawRowKey {
    RawRowKey {
        process_start_ns: attempt.process_start_ns,
        address: attempt.daddr,
        netns: attempt.netns,
        tgid: attempt.tgid,
        port: attempt.dport,
        family: attempt.family,
        shard,
    }
}

#[inline(always)]
fn shard() -> u32 {
    let shards = config!(shard_mask);
    // SAFETY: the helper has no precondition.
    if shards == 0 { 0 } else { unsafe { bpf_get_smp_processor_id() & shards } }
}

/// The place of this attempt, in the generation that is added to now.
///
/// Shard 0 comes first, whichever CPU its first attempt is on: so a row that found a place has one for whatever CPU its
/// process moves to, and a destination that is met once takes one place.
#[expect(clippy::needless_borrows_for_generic_args, reason = "a copy of the key is too much for the stack of 5.10")]
#[inline(always)]
pub fn place(attempt: &RawConnect, detail: Detail) -> Option<Place> {
    let shard = shard();
    let mut key = key(attempt, shard);
    let generation = detail.generation();
    if let Some(row) = find(&key, generation) {
        return Some(Place { row, fresh: false });
    }
    if shard != 0 {
        key.shard = 0;
        if find(&key, generation).is_some() {
            key.shard = shard;
        }
    }
    let full = CONNECT_ROWS_FULL.get_ptr_mut(generation)?;
    // Asked before each attempt to insert, which looks for a place through the lists of all CPUs.
    // SAFETY: a live word of the map; volatile, because others write it too.
    if unsafe { full.read_volatile() } == 0 {
        let none = NO_ROW.get(0)?;
        let inserted = if generation == 0 {
            CONNECT_ROWS_0.insert(&key, none, BPF_NOEXIST.into())
        } else {
            CONNECT_ROWS_1.insert(&key, none, BPF_NOEXIST.into())
        };
        // The insertion also fails if another program was faster, which is as good.
        if let Some(row) = find(&key, generation) {
            return Some(Place { row, fresh: key.shard == 0 && inserted.is_ok() });
        }
        if inserted == Err(-E2BIG) {
            // SAFETY: a live word of the map; volatile, because others write it too.
            unsafe { full.write_volatile(1) };
        }
    }
    key.shard = 0;
    if shard != 0
        && let Some(row) = find(&key, generation)
    {
        return Some(Place { row, fresh: false });
    }
    Some(Place { row: live(CONNECT_OTHER.get_ptr_mut(generation)?)?, fresh: false })
}

#[inline(always)]
fn find(key: &RawRowKey, generation: u32) -> Option<&'static mut RawRow> {
    live(if generation == 0 { CONNECT_ROWS_0.get_ptr_mut(key) } else { CONNECT_ROWS_1.get_ptr_mut(key) }?)
}

#[inline(always)]
fn live(row: *mut RawRow) -> Option<&'static mut RawRow> {
    // SAFETY: a value of a map, which is not deleted before this program has ended; counts are added atomically.
    unsafe { row.as_mut() }
}
