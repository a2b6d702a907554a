// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adds up every attempt that ended: in the histograms of all attempts and in its row.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tcp_trace_common::{
    connect::{RawConnect, ended, flag},
    connect_rows::{self, FIRST_OF_PORTS, FIRST_OF_TIMES, RawRow, RawSpread, RawSum, bucket_of_log2},
    folded::{BUCKETS, HANDSHAKE, PORT_SEARCH, PORTS_VISITED, RawHistogram, TOTAL, bucket, bucket_by_log2, log2},
    outcome, phases,
    port_search::{self, SourcePort, Walk},
};

use crate::{
    detail::Detail,
    globals::config,
    maps::FOLDED_PHASES,
    memory::{add, unbounded},
    rows::{self, Place},
};

/// Result bit of [`fold`]: the first attempt in its row.
pub const FRESH: u32 = 1 << 0;
/// Result bit: its search went through the second parity.
pub const SECOND_PASS: u32 = 1 << 1;
/// Result bit: it ended without a connection.
pub const FAILED: u32 = 1 << 2;
/// Result bit: it had SYN retransmits.
pub const RETRANSMITTED: u32 = 1 << 3;

/// Layout of the result of [`search`], one number because BPF returns no structs: ports visited, these bits, and the
/// range.
mod found {
    pub const VISITED: u64 = (1 << VISITED_KNOWN.trailing_zeros()) - 1;
    pub const VISITED_KNOWN: u64 = 1 << 24;
    pub const PASS_KNOWN: u64 = 1 << 25;
    pub const SECOND_PASS: u64 = 1 << 26;
    pub const LOCAL_RANGE: u64 = 1 << 27;
    /// There was a search, because the socket was not bound.
    pub const UNBOUND: u64 = 1 << 28;
    pub const LOW_SHIFT: u32 = 32;
    pub const HIGH_SHIFT: u32 = 48;
}

/// Adds one attempt that ended; returns as bits which events of it are wanted.
///
/// The functions here stay functions in the object: the verifier joins its paths at a return, and otherwise would walk
/// each of them again.
#[inline(never)]
pub fn fold(attempt: &mut RawConnect, detail: Detail) -> u32 {
    // Most do, and a call costs more than the question.
    let outcome = if attempt.ended_by == ended::ESTABLISHED { outcome::ESTABLISHED } else { how_it_ended(attempt) };
    let search = search(attempt);
    let mut notable = 0;
    if let Some(Place { row, fresh }) = rows::place(attempt, detail) {
        if fresh {
            notable = FRESH;
        }
        add_up(row, attempt, search, outcome);
    }
    if outcome != outcome::ESTABLISHED {
        notable |= FAILED;
    }
    if search & found::SECOND_PASS != 0 {
        notable |= SECOND_PASS;
    }
    if retransmits(attempt) != 0 {
        notable |= RETRANSMITTED;
    }
    forgotten(attempt, notable)
}

/// Makes the verifier forget what it knows about a number, as `unbounded` does, by way of the attempt: of what is in a map no
/// verifier knows anything, of the stack newer ones do. Without it they go through all that follows for each path to here.
#[inline(always)]
fn forgotten(attempt: &mut RawConnect, value: u32) -> u32 {
    let scratch = &raw mut attempt.header.pad;
    // SAFETY: a field of the attempt, which no other program has now; volatile, so that both accesses happen.
    unsafe {
        scratch.write_volatile(value);
        scratch.read_volatile()
    }
}

#[inline(never)]
fn how_it_ended(attempt: &mut RawConnect) -> u32 {
    let outcome = outcome::of(attempt).0;
    forgotten(attempt, outcome)
}

#[inline(never)]
fn search(attempt: &mut RawConnect) -> u64 {
    let walk = Walk {
        socket_range_steps_by_one: config!(socket_range_steps_by_one) != 0,
        perturb_table: config!(perturb_table) != 0,
        seen: config!(searches_seen) != 0,
    };
    let search = port_search::derive(attempt, walk);
    let mut found = match search.visited {
        Some(visited) => u64::from(visited) & found::VISITED | found::VISITED_KNOWN,
        None => 0,
    };
    match search.second_pass {
        Some(true) => found |= found::PASS_KNOWN | found::SECOND_PASS,
        Some(false) => found |= found::PASS_KNOWN,
        None => {}
    }
    match search.source_port {
        Some(SourcePort::LocalRange) => found |= found::UNBOUND | found::LOCAL_RANGE,
        Some(SourcePort::Ephemeral) => found |= found::UNBOUND,
        Some(SourcePort::Bound) | None => {}
    }
    if let Some((low, high)) = search.range {
        found |= u64::from(low) << found::LOW_SHIFT | u64::from(high) << found::HIGH_SHIFT;
    }
    u64::from(forgotten(attempt, found as u32)) | u64::from(forgotten(attempt, (found >> 32) as u32)) << 32
}

/// SYN retransmits, if they were counted and belong to a handshake.
#[inline(always)]
fn retransmits(attempt: &RawConnect) -> u32 {
    if attempt.flags & flag::RETRANSMITS != 0 { attempt.syn_retransmits } else { 0 }
}

#[inline(never)]
fn add_up(row: &mut RawRow, attempt: &RawConnect, search: u64, ended: u32) {
    if let Some(count) = row.by_outcome.get_mut(ended as usize) {
        add(count, 1);
    }
    name(row, attempt, search);
    if let Some(handshake_ns) = phases::handshake_ns(attempt) {
        record(&mut row.handshake_ns, HANDSHAKE, handshake_ns);
        if retransmits(attempt) != 0 {
            add_retransmits(row, retransmits(attempt), handshake_ns, ended);
        }
    }
    if let Some(total_ns) = phases::total_ns(attempt) {
        record(&mut row.total_ns, TOTAL, total_ns);
    }
    if search & found::VISITED_KNOWN != 0 {
        record(&mut row.visited, PORTS_VISITED, search & found::VISITED);
    }
    if search & found::PASS_KNOWN != 0 {
        add(&mut row.second_pass_known, 1);
    }
    // On the tracepoint tier none is seen.
    if config!(searches_seen) != 0
        && let Some(search_ns) = phases::port_search_ns(attempt)
    {
        record(&mut row.search_ns, PORT_SEARCH, search_ns);
        add_search(row, search_ns, search, ended);
    }
    let usual = attempt.flags & (flag::MPTCP | flag::PROBED) == 0
        && search & (found::SECOND_PASS | found::LOCAL_RANGE) == 0
        && ended == outcome::ESTABLISHED;
    if !usual {
        add_unusual(row, attempt, search, ended);
    }
}

/// Fills in the names of a row once, because all of its attempts have the same; of thread names any will do.
#[inline(always)]
fn name(row: &mut RawRow, attempt: &RawConnect, search: u64) {
    // Set last, so that a reader that finds it set finds the others set too.
    let comm = row.comm.as_mut_ptr().cast::<u64>();
    let from = attempt.comm.as_ptr().cast::<u64>();
    // SAFETY: two words of eight bytes each, at multiples of eight; volatile, so that they stay words.
    unsafe {
        if comm.read_volatile() == 0 {
            row.cgroup_id = attempt.cgroup_id;
            row.uid = attempt.uid;
            comm.add(1).write_volatile(from.add(1).read_volatile());
            comm.write_volatile(from.read_volatile());
        }
    }
    if row.range_high == 0 {
        row.range_low = (search >> found::LOW_SHIFT) as u16;
        row.range_high = (search >> found::HIGH_SHIFT) as u16;
    }
}

#[inline(always)]
fn add_search(row: &mut RawRow, search_ns: u64, search: u64, ended: u32) {
    let found_one = ended != outcome::NO_PORT && search & found::PASS_KNOWN != 0;
    if !found_one {
        add_to(&mut row.other_search_ns, search_ns);
    } else if search & found::SECOND_PASS != 0 {
        add_to(&mut row.second_pass_search_ns, search_ns);
    } else if search_ns > row.first_pass_search_max_ns {
        row.first_pass_search_max_ns = search_ns;
    }
}

#[inline(never)]
fn add_retransmits(row: &mut RawRow, retransmits: u32, handshake_ns: u64, ended: u32) {
    add(&mut row.syn_retransmits, u64::from(retransmits));
    add(&mut row.retransmitted, 1);
    if handshake_ns > row.retransmitted_max_ns {
        row.retransmitted_max_ns = handshake_ns;
    }
    if ended == outcome::ABANDONED || ended == outcome::INTERRUPTED {
        add(&mut row.unanswered, 1);
    }
}

#[inline(never)]
fn add_unusual(row: &mut RawRow, attempt: &RawConnect, search: u64, ended: u32) {
    if search & found::SECOND_PASS != 0 {
        add(&mut row.second_pass_looked, 1);
        if ended != outcome::NO_PORT {
            add(&mut row.second_pass, 1);
            if search & found::VISITED_KNOWN != 0 {
                add_to(&mut row.second_pass_visited, search & found::VISITED);
            }
        }
    }
    if search & found::LOCAL_RANGE != 0 {
        add(&mut row.local_range, 1);
    }
    if ended == outcome::NO_PORT && search & found::UNBOUND != 0 {
        add(&mut row.exhausted, 1);
    }
    if ended == outcome::TIMED_OUT {
        add(&mut row.unanswered, 1);
    }
    if attempt.flags & flag::MPTCP != 0 {
        add(&mut row.mptcp, 1);
    }
    if attempt.flags & flag::PROBED != 0 && phases::searched(attempt) {
        add_candidates(row, attempt, search);
    }
}

#[inline(never)]
fn add_candidates(row: &mut RawRow, attempt: &RawConnect, search: u64) {
    let RawConnect { refused_candidates: refused, time_wait_refused, time_wait_reused, search_ret, .. } = *attempt;
    add_to(&mut row.in_use, u64::from(refused.saturating_sub(time_wait_refused)));
    add_to(&mut row.time_wait, u64::from(time_wait_refused));
    add(&mut row.time_wait_reused, u64::from(time_wait_reused));
    let visited = search & found::VISITED;
    let tested = u64::from(refused) + u64::from(search_ret == 0);
    if search & found::VISITED_KNOWN != 0 && visited > tested {
        add(&mut row.skipped, visited - tested);
    }
}

#[inline(always)]
fn add_to(sum: &mut RawSum, value: u64) {
    add(&mut sum.known, 1);
    add(&mut sum.sum, value);
    if value > sum.max {
        sum.max = value;
    }
}

/// Records a value in the row, and in the histogram of all attempts.
#[inline(never)]
fn record(spread: &mut RawSpread, phase: u32, value: u64) {
    let log2 = log2(value);
    add(&mut spread.sum, value);
    if value > spread.max {
        spread.max = value;
    }
    let first = if phase == PORTS_VISITED { FIRST_OF_PORTS } else { FIRST_OF_TIMES };
    // The mask is for the verifier, and changes nothing: neither side may know what the other knows.
    let index = unbounded(bucket_of_log2(log2, first)) as usize & (connect_rows::BUCKETS - 1);
    // SAFETY: valid, aligned, and only ever changed so.
    unsafe { AtomicU32::from_ptr(&mut spread.buckets[index]) }.fetch_add(1, Ordering::Relaxed);
    if let Some(histogram) = FOLDED_PHASES.get_ptr_mut(phase) {
        record_at(histogram, bucket_by_log2(value, log2), value);
    }
}

/// Records a value in an element of a per-CPU array.
#[inline(always)]
pub fn record_in(histogram: *mut RawHistogram, value: u64) {
    record_at(histogram, bucket(value), value);
}

#[inline(always)]
fn record_at(histogram: *mut RawHistogram, index: usize, value: u64) {
    let index = unbounded(index as u32) as usize;
    if index >= BUCKETS {
        return;
    }
    // SAFETY: a valid element of the map and an index within it. Counts are only ever changed atomically; for what
    // else may happen to `max` see `RawHistogram`.
    unsafe {
        AtomicU64::from_ptr((&raw mut (*histogram).buckets).cast::<u64>().add(index)).fetch_add(1, Ordering::Relaxed);
        let max = &raw mut (*histogram).max;
        if value > max.read() {
            max.write(value);
        }
    }
}
