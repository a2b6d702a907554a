// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts before a recording that starts during a run, and later readings without them.

use std::{collections::HashMap, hash::Hash};

use foldhash::fast::RandomState;
use tcp_trace_common::{
    bind::{RawBindCounts, RawBindTotals},
    listen::{RawListener, UNKNOWN},
    state::{RawInState, RawStateTotals},
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::{
    bytes::{Bytes, Malformed},
    message::{take_head, take_totals},
};
use crate::{
    governor::CounterSnapshot,
    model::{folded::FoldedPhase, totals::Totals},
    source::retired::carry_in_list,
};

/// The last payloads of both kinds of counts; most are never read again.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// The accounts; empty: nothing was traced before.
    pub counters: Vec<u8>,
    /// The totals of the kernel side.
    pub totals: Vec<u8>,
}

impl Baseline {
    /// Both payloads, one after the other.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.counters.len() + self.totals.len() + 4);
        payload.extend((self.counters.len() as u32).to_le_bytes());
        payload.extend(&self.counters);
        payload.extend(&self.totals);
        payload
    }
}

/// The earlier counts, to be subtracted from later readings.
#[derive(Debug)]
pub struct ParsedBaseline {
    counters: Option<CounterSnapshot>,
    totals: Option<Totals>,
}

impl ParsedBaseline {
    /// Parses what [`Baseline::payload`] wrote.
    ///
    /// # Errors
    /// When the payload has another format.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let bytes = &mut Bytes(payload);
        let len = bytes.u32()? as usize;
        let counters = bytes.take(len)?;
        Ok(Self {
            counters: (!counters.is_empty()).then(|| take_head(&mut Bytes(counters))).transpose()?,
            totals: (!bytes.0.is_empty()).then(|| take_totals(bytes)).transpose()?,
        })
    }

    /// Subtracts the earlier counts from a reading.
    pub fn subtract_from_counters(&self, counters: &mut CounterSnapshot) {
        let Some(before) = &self.counters else { return };
        counters.counts = counters.counts.since(&before.counts);
        counters.cost = counters.cost.since(before.cost);
    }

    /// Subtracts the earlier counts from totals. Maxima stay those since tracing began.
    pub fn subtract_from_totals(&mut self, totals: &mut Totals) {
        let Some(before) = &mut self.totals else { return };
        carry_in_list(&mut before.time_wait, &totals.merged.time_wait);
        if let Some(listeners) = &mut before.listeners {
            carry_in_list(listeners, &totals.merged.listeners);
        }
        carry_in_list(&mut before.binds.binders, &totals.merged.binders);
        carry_in_list(&mut before.time_wait_owners, &totals.merged.time_wait_owners);
        carry_in_list(&mut before.states, &totals.merged.states);
        subtract(&mut totals.time_wait, &before.time_wait, |now: &mut RawTimeWaitTotals, before| {
            less_each(&mut now.events, &before.events);
            less(&mut now.entered_fin_wait2, before.entered_fin_wait2);
        });
        if let (Some(now), Some(before)) = (&mut totals.listeners, &before.listeners) {
            subtract(now, before, listener);
        }
        subtract(&mut totals.binds.binders, &before.binds.binders, |now: &mut RawBindTotals, before| {
            binds(&mut now.any_port, &before.any_port);
            binds(&mut now.a_port, &before.a_port);
            less(&mut now.in_range, before.in_range);
        });
        let sites = before.binds.sites.iter().map(|site| ((site.pid, site.any_port, &site.name), site.calls));
        let sites: HashMap<_, u64, RandomState> = sites.collect();
        for site in &mut totals.binds.sites {
            less(&mut site.calls, sites.get(&(site.pid, site.any_port, &site.name)).copied().unwrap_or(0));
        }
        phase(&mut totals.binds.any_port, &before.binds.any_port);
        phase(&mut totals.binds.a_port, &before.binds.a_port);
        subtract(&mut totals.time_wait_owners, &before.time_wait_owners, |now: &mut RawTimeWaitOwner, before| {
            less_each(&mut now.events, &before.events);
            less(&mut now.entered_fin_wait2, before.entered_fin_wait2);
            less(&mut now.entered_without_timestamps, before.entered_without_timestamps);
        });
        subtract(&mut totals.states, &before.states, states);
    }
}

fn less(now: &mut u64, before: u64) {
    *now = now.saturating_sub(before);
}

fn less_each(now: &mut [u64], before: &[u64]) {
    for (now, before) in now.iter_mut().zip(before) {
        less(now, *before);
    }
}

fn subtract<K: Copy + Eq + Hash, V>(now: &mut [(K, V)], before: &[(K, V)], less: impl Fn(&mut V, &V)) {
    let before: HashMap<K, &V, RandomState> = before.iter().map(|(key, value)| (*key, value)).collect();
    for (key, value) in now {
        if let Some(before) = before.get(key) {
            less(value, before);
        }
    }
}

fn listener(now: &mut RawListener, before: &RawListener) {
    less(&mut now.syns, before.syns);
    less_each(&mut now.drops, &before.drops);
    less(&mut now.cookies, before.cookies);
    less(&mut now.queued, before.queued);
    if now.accepted != UNKNOWN && before.accepted != UNKNOWN {
        less(&mut now.accepted, before.accepted);
    }
    less(&mut now.lookups, before.lookups);
    less(&mut now.lookup_ns, before.lookup_ns);
}

fn binds(now: &mut RawBindCounts, before: &RawBindCounts) {
    less(&mut now.calls, before.calls);
    less(&mut now.in_use, before.in_use);
    less(&mut now.connected, before.connected);
    less(&mut now.shared, before.shared);
    less(&mut now.took_ns, before.took_ns);
}

fn phase(now: &mut FoldedPhase, before: &FoldedPhase) {
    less_each(&mut now.buckets, &before.buckets);
}

fn states(now: &mut RawStateTotals, before: &RawStateTotals) {
    for (now, before) in now.states.iter_mut().zip(&before.states) {
        let RawInState { left, ns, .. } = before;
        less(&mut now.left, *left);
        less(&mut now.ns, *ns);
    }
    less_each(&mut now.lives, &before.lives);
    less(&mut now.opened, before.opened);
    less(&mut now.closed, before.closed);
    less(&mut now.closed_first, before.closed_first);
    less(&mut now.peer_closed_first, before.peer_closed_first);
    less(&mut now.linger_resets, before.linger_resets);
    less(&mut now.unread_resets, before.unread_resets);
    less(&mut now.peer_resets, before.peer_resets);
    less(&mut now.timed_out, before.timed_out);
    less(&mut now.bytes_received, before.bytes_received);
    less(&mut now.bytes_acked, before.bytes_acked);
    less(&mut now.lingering, before.lingering);
    less(&mut now.lingering_ns, before.lingering_ns);
}
