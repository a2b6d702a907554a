// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of a listener's SYNs, as differences of the kernel side's totals.

use tcp_trace_common::listen::{RawListener, UNKNOWN, cause};

/// Counts of an interval, or since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenCounts {
    /// SYNs that the listener decided about.
    pub syns: u64,
    /// SYNs and handshakes dropped, by cause: slots of [`DropCause::ALL`](crate::event::DropCause::ALL).
    pub drops: [u64; 5],
    /// SYNs answered with a cookie.
    pub cookies: u64,
    /// Handshakes that completed into the accept queue.
    pub queued: u64,
    /// Connections taken out of the accept queue. Unknown where returns of `accept()` are not traced.
    pub(crate) accepted: u64,
    pub(crate) accepts_unseen: bool,
    /// Lookups that found the listener, if they are timed.
    pub lookups: u64,
    /// Total time of these lookups, in ns.
    pub lookup_ns: u64,
}

impl ListenCounts {
    pub(super) fn between(before: Option<&RawListener>, now: &RawListener) -> Self {
        let before = before.copied().unwrap_or(RawListener::NEW);
        let since = |of: fn(&RawListener) -> u64| of(now).saturating_sub(of(&before));
        let drop = |cause: u8| {
            let slot = usize::from(cause);
            now.drops[slot].saturating_sub(before.drops[slot])
        };
        let accepts_unseen = now.accepted >= UNKNOWN / 2;
        Self {
            syns: since(|totals| totals.syns),
            drops: [
                drop(cause::ACCEPT_QUEUE),
                drop(cause::ACCEPT_QUEUE_AT_ACK),
                drop(cause::SYN_QUEUE),
                drop(cause::SYN_BACKLOG),
                drop(cause::OTHER),
            ],
            cookies: since(|totals| totals.cookies),
            queued: since(|totals| totals.queued),
            accepted: if accepts_unseen { 0 } else { since(|totals| totals.accepted) },
            accepts_unseen,
            lookups: since(|totals| totals.lookups),
            lookup_ns: since(|totals| totals.lookup_ns),
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.syns += more.syns;
        for (sum, more) in self.drops.iter_mut().zip(more.drops) {
            *sum += more;
        }
        self.cookies += more.cookies;
        self.queued += more.queued;
        self.accepted += more.accepted;
        self.accepts_unseen |= more.accepts_unseen;
        self.lookups += more.lookups;
        self.lookup_ns += more.lookup_ns;
    }

    /// Connections that `accept()` took; `None`: not traced on this tier.
    pub fn accepted(&self) -> Option<u64> {
        (!self.accepts_unseen).then_some(self.accepted)
    }

    /// SYNs and handshakes dropped, for any reason.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    /// Drops because the accept queue was full: of SYNs, and of handshakes at their last ACK.
    pub fn by_accept_queue(&self) -> u64 {
        self.drops[0] + self.drops[1]
    }

    /// Drops because the SYN queue was full, or its last quarter was kept for known peers.
    pub fn by_syn_queue(&self) -> u64 {
        self.drops[2] + self.drops[3]
    }

    /// Mean time of a lookup in ns; `None`: not timed.
    pub fn lookup_mean_ns(&self) -> Option<u64> {
        self.lookup_ns.checked_div(self.lookups)
    }
}
