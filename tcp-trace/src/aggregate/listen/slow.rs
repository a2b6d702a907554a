// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins handshakes that waited with the listener of this machine that dropped their SYNs. One event shows which
//! listener a destination is; the rows towards that destination count how many waited.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use foldhash::fast::RandomState;

use super::Endpoint;
use crate::{
    aggregate::tally::{Destination, Process},
    event::{Connect, DropCause, ListenDrop},
    model::folded::FoldedRow,
};

/// Number of drops that are remembered, the latest. A client that gave up, or is on another machine, leaves one behind.
const RECENT: usize = 16_384;
/// Number of listeners for which handshakes are counted.
const LISTENERS: usize = 1024;

/// Handshakes that waited for one listener.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowHandshakes {
    /// The listener that dropped the SYNs.
    pub listener: Endpoint,
    /// Cause of the last drop.
    pub cause: DropCause,
    /// Number of handshakes that waited.
    pub connects: u64,
    /// SYN retransmits.
    pub retransmits: u64,
    /// Longest handshake, in ns.
    pub max_ns: Option<u64>,
    /// The last caller.
    pub caller: Process,
}

type Found = HashMap<Endpoint, SlowHandshakes, RandomState>;
/// Address and port of the client, and the port that it sent to.
type Key = (SocketAddr, u16);

#[derive(Clone, Debug, Default)]
pub(super) struct Slow {
    recent: HashMap<Key, (Endpoint, DropCause), RandomState>,
    order: VecDeque<Key>,
    /// Destinations that are listeners of this machine which dropped a SYN.
    behind: HashMap<Destination, (Endpoint, DropCause), RandomState>,
    interval: Found,
    total: Found,
}

impl Slow {
    pub(super) fn dropped(&mut self, dropped: &ListenDrop) {
        let Some(client) = dropped.client else { return };
        let key = (client, dropped.sport);
        let listener = Endpoint { netns: dropped.netns, saddr: dropped.saddr, sport: dropped.sport };
        if self.recent.insert(key, (listener, dropped.cause)).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }

    /// Learns which listener a destination is.
    pub(super) fn waited(&mut self, connect: &Connect) {
        let (Some(1..), Some(sport)) = (connect.syn_retransmits, connect.sport) else { return };
        let key = (SocketAddr::new(connect.saddr, sport), connect.dport);
        let Some(listener) = self.recent.get(&key) else { return };
        let destination = Destination { netns: connect.netns, daddr: connect.daddr, dport: connect.dport };
        if self.behind.len() < LISTENERS || self.behind.contains_key(&destination) {
            self.behind.insert(destination, *listener);
        }
    }

    /// Counts the handshakes that waited.
    pub(super) fn connected(&mut self, row: &FoldedRow) {
        let counts = &row.counts;
        if counts.retransmitted == 0 {
            return;
        }
        let destination = Destination { netns: row.netns, daddr: row.daddr, dport: row.dport };
        let Some((listener, cause)) = self.behind.get(&destination) else { return };
        for found in [&mut self.interval, &mut self.total] {
            if found.len() >= LISTENERS && !found.contains_key(listener) {
                continue;
            }
            let caller = Process { pid: row.pid, comm: row.comm };
            let slow = found.entry(*listener).or_insert_with(|| SlowHandshakes {
                listener: *listener,
                cause: *cause,
                connects: 0,
                retransmits: 0,
                max_ns: None,
                caller,
            });
            (slow.cause, slow.caller) = (*cause, caller);
            slow.connects = slow.connects.saturating_add(counts.retransmitted);
            slow.retransmits = slow.retransmits.saturating_add(counts.syn_retransmits);
            let max_ns = (counts.retransmitted_max_ns > 0).then_some(counts.retransmitted_max_ns);
            slow.max_ns = slow.max_ns.max(max_ns);
        }
    }

    pub(super) fn interval(&self) -> Vec<SlowHandshakes> {
        sorted(&self.interval)
    }

    pub(super) fn total(&self) -> Vec<SlowHandshakes> {
        sorted(&self.total)
    }

    pub(super) fn tick(&mut self) {
        self.interval.clear();
    }
}

fn sorted(found: &Found) -> Vec<SlowHandshakes> {
    let mut rows: Vec<_> = found.values().cloned().collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.connects), row.listener));
    rows
}
