// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state signal: states of TCP sockets by owner and peer. Durations and ends come from the kernel side's totals,
//! present numbers from the inventory.

mod lingerers;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tcp_trace_common::{
    peer::RawPeer,
    state::{LIVES, RawInState, RawStateTotals, STATES},
    tcp_state,
};

pub use self::lingerers::LONG_NS;
use self::lingerers::Lingerers;
use crate::{
    inventory::{Inventory, socket::State},
    model::peer::{Peer, Who},
    source::retired::carry,
};

/// One state of the sockets of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InState {
    /// Sockets that entered the state during tracing and are still in it.
    pub inside: u64,
    /// Mean age of `inside` sockets in the state, in ns.
    pub inside_mean_ns: Option<u64>,
    /// Sockets that left the state.
    pub left: u64,
    /// Mean time in the state of sockets that left it, in ns.
    pub mean_ns: Option<u64>,
    /// Longest time in the state since the start, in ns.
    pub max_ns: Option<u64>,
}

/// Connections of one process with one destination, or of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRow {
    /// Owner and peer of the connections.
    pub peer: Peer,
    /// The owner's name.
    pub who: Who,
    /// Traced counts; `None` if nothing of the row was traced.
    pub traced: Option<Traced>,
    /// Present numbers; `None` if sockets were not read, or none is of this row.
    pub now: Option<Now>,
}

/// What the kernel side counted during the interval or the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traced {
    /// States, indexed by the kernel's numbers.
    pub states: [InState; STATES],
    /// Closed connections by time in ESTABLISHED: slot n counts those of less than 2^n us.
    pub lives: [u64; LIVES],
    /// Connections that were established.
    pub opened: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Connections of `closed` that the owner closed first.
    pub closed_first: u64,
    /// Connections of `closed` that the peer closed first.
    pub peer_closed_first: u64,
    /// Connections of `closed` that the owner reset with SO_LINGER of 0 s.
    pub linger_resets: u64,
    /// Connections of `closed` that were reset because the owner had not read all data.
    pub unread_resets: u64,
    /// Connections of `closed` that the peer reset.
    pub peer_resets: u64,
    /// Connections of `closed` that timed out because the peer did not answer.
    pub timed_out: u64,
    /// Bytes received by connections that ended.
    pub bytes_received: u64,
    /// Bytes sent by connections that ended, and acknowledged by the peer.
    pub bytes_acked: u64,
    /// Calls of close() that SO_LINGER may block.
    pub lingering: u64,
    /// Total time of these calls, in ns.
    pub lingering_ns: u64,
    /// Longest of these calls since the start, in ns.
    pub lingering_max_ns: u64,
}

/// The present sockets of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Sockets by state, indexed by the kernel's numbers.
    pub states: [u64; STATES],
    /// Sockets in FIN_WAIT2 that no process holds.
    pub orphaned: u64,
    /// Sockets that have been seen in CLOSE_WAIT for at least [`lingerers::LONG_NS`].
    pub stuck: u64,
    /// Longest time that one of the `stuck` sockets has been seen, in ns.
    pub stuck_max_ns: u64,
    /// Sockets in CLOSE_WAIT at the first inventory with this row.
    pub close_wait_first: u64,
}

/// State of the state signal for an interval or a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateSnapshot {
    /// Whether sockets were read.
    pub surveyed: bool,
    /// Time since the first inventory, in ns.
    pub surveyed_for_ns: u64,
    /// Rows, busiest first.
    pub rows: Vec<StateRow>,
    /// Sockets of all namespaces that no process holds and that wait for their end; `None`: unknown.
    pub orphans: Option<u64>,
}

/// Computes the interval and the total of the state signal.
#[derive(Debug, Default)]
pub struct StateAggregate {
    now_ns: u64,
    now: HashMap<RawPeer, RawStateTotals, RandomState>,
    last: HashMap<RawPeer, RawStateTotals, RandomState>,
    lingerers: Lingerers,
}

impl StateAggregate {
    /// Takes the totals of the kernel side, counted since the start, as they are at this moment. The list is complete: a
    /// missing row was merged into another one (`merged`).
    pub fn enter(&mut self, totals: &[(RawPeer, RawStateTotals)], merged: &[(RawPeer, RawPeer)], now_ns: u64) {
        carry(&mut self.last, merged);
        self.now_ns = now_ns;
        self.now.clear();
        self.now.extend(totals.iter().copied());
    }

    /// Consumes an inventory of the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        self.lingerers.survey(inventory);
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> StateSnapshot {
        let snapshot = self.snapshot(Some(&self.last));
        self.last.clone_from(&self.now);
        snapshot
    }

    /// The snapshot of everything since the start.
    pub fn total(&self) -> StateSnapshot {
        self.snapshot(None)
    }

    fn snapshot(&self, before: Option<&HashMap<RawPeer, RawStateTotals, RandomState>>) -> StateSnapshot {
        let mut found: HashMap<Peer, Now, RandomState> = self.lingerers.found().collect();
        let mut rows: Vec<StateRow> = Vec::with_capacity(self.now.len());
        for (raw, totals) in &self.now {
            let peer = Peer::from_kernel(raw);
            let traced = Traced::since(totals, before.and_then(|before| before.get(raw)), self.now_ns);
            let now = found.remove(&peer);
            if traced.is_something() || now.is_some() {
                let who = Who::from_kernel(&totals.comm, totals.cgroup_id);
                rows.push(StateRow { peer, who, traced: Some(traced), now });
            }
        }
        rows.extend(found.into_iter().map(|(peer, now)| StateRow {
            who: self.lingerers.who(&peer),
            peer,
            traced: None,
            now: Some(now),
        }));
        rows.sort_by_key(|row| (std::cmp::Reverse(row.weight()), row.peer));
        StateSnapshot {
            surveyed: self.lingerers.surveyed(),
            surveyed_for_ns: self.lingerers.surveyed_for_ns(),
            rows,
            orphans: self.lingerers.orphans(),
        }
    }
}

impl Traced {
    /// The difference of `totals` and `before`. What is in progress is that of now, whenever it began.
    fn since(totals: &RawStateTotals, before: Option<&RawStateTotals>, now_ns: u64) -> Self {
        let state = |slot: usize| in_state(&totals.states[slot], before.map(|before| &before.states[slot]), now_ns);
        let diff = |of: fn(&RawStateTotals) -> u64| of(totals).saturating_sub(before.map_or(0, of));
        Self {
            states: std::array::from_fn(state),
            lives: std::array::from_fn(|slot| {
                totals.lives[slot].saturating_sub(before.map_or(0, |before| before.lives[slot]))
            }),
            // Counts that moved to the owner in this interval are subtracted where they came from.
            opened: diff(|totals| totals.opened),
            closed: diff(|totals| totals.closed),
            closed_first: diff(|totals| totals.closed_first),
            peer_closed_first: diff(|totals| totals.peer_closed_first),
            linger_resets: diff(|totals| totals.linger_resets),
            unread_resets: diff(|totals| totals.unread_resets),
            peer_resets: diff(|totals| totals.peer_resets),
            timed_out: diff(|totals| totals.timed_out),
            bytes_received: diff(|totals| totals.bytes_received),
            bytes_acked: diff(|totals| totals.bytes_acked),
            lingering: diff(|totals| totals.lingering),
            lingering_ns: diff(|totals| totals.lingering_ns),
            lingering_max_ns: totals.lingering_max_ns,
        }
    }

    /// The counts of one state.
    pub fn state(&self, state: u8) -> &InState {
        &self.states[usize::from(state) % STATES]
    }

    /// Mean time in ESTABLISHED, in ns.
    pub fn life_mean_ns(&self) -> Option<u64> {
        self.state(tcp_state::ESTABLISHED).mean_ns
    }

    /// Whether anything happened or is in progress.
    fn is_something(&self) -> bool {
        let moved = |state: &InState| state.left != 0 || state.inside != 0;
        self.opened + self.closed + self.lingering != 0 || self.states.iter().any(moved)
    }
}

/// The kernel's number of a state.
pub fn number(state: State) -> u8 {
    // The list is in the kernel's order, which begins with 1.
    State::ALL.iter().zip(1..).find_map(|(other, number)| (*other == state).then_some(number)).unwrap_or(0)
}

fn in_state(now: &RawInState, before: Option<&RawInState>, now_ns: u64) -> InState {
    let none = RawInState::default();
    let before = before.unwrap_or(&none);
    let (left, ns) = (now.left.saturating_sub(before.left), now.ns.saturating_sub(before.ns));
    // A change in progress on another CPU may be half visible, so the count may be below zero.
    let inside = if now.inside > u64::MAX / 2 { 0 } else { now.inside };
    // The sums may overflow, but their difference does not.
    let ages_ns = inside.wrapping_mul(now_ns).wrapping_sub(now.inside_since_ns);
    InState {
        inside,
        inside_mean_ns: (ages_ns <= u64::MAX / 2).then(|| ages_ns.checked_div(inside)).flatten(),
        left,
        mean_ns: ns.checked_div(left),
        max_ns: (now.left > 0).then_some(now.max_ns),
    }
}

/// One state, summed over all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfAll {
    /// Sockets in the state now.
    pub now: Option<u64>,
    /// Sockets that left the state.
    pub left: Option<u64>,
    /// Mean time in the state of sockets that left it, in ns.
    pub mean_ns: Option<u64>,
    /// Longest time in the state since the start, in ns.
    pub max_ns: Option<u64>,
}

impl StateSnapshot {
    /// One state, summed over all rows.
    pub fn of_all(&self, state: State) -> OfAll {
        let mut all = OfAll::default();
        let mut ns = 0;
        for row in &self.rows {
            if let Some(now) = row.in_state(state) {
                *all.now.get_or_insert(0) += now;
            }
            if let Some(traced) = &row.traced {
                let of = traced.state(number(state));
                *all.left.get_or_insert(0) += of.left;
                ns += u128::from(of.mean_ns.unwrap_or(0)) * u128::from(of.left);
                all.max_ns = all.max_ns.max(of.max_ns);
            }
        }
        all.mean_ns = all.left.filter(|left| *left > 0).map(|left| (ns / u128::from(left)) as u64);
        all
    }
}

impl StateRow {
    /// Sockets in a state now, from the inventory, or else as traced.
    pub fn in_state(&self, state: State) -> Option<u64> {
        match (&self.now, &self.traced) {
            (Some(now), _) => Some(now.states[usize::from(number(state))]),
            (None, Some(traced)) => Some(traced.state(number(state)).inside),
            (None, None) => None,
        }
    }

    /// Sort key: connections that began or ended, and sockets that wait for an action of their owner.
    fn weight(&self) -> u64 {
        let traced = self.traced.map_or(0, |traced| traced.opened + traced.closed + traced.lingering);
        let now = self.now.map_or(0, |now| now.states[usize::from(tcp_state::CLOSE_WAIT)] + now.orphaned);
        traced + now
    }
}
