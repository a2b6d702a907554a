// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals: whether anything in them is still in progress, and how they are added up.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use tcp_trace_common::{
    COMM_LEN,
    bind::{RawBindCounts, RawBindTotals},
    listen::RawListener,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals, event},
};

use super::Sums;

fn hash(sums: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(sums)
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
