// SPDX-License-Identifier: MIT OR Apache-2.0
//! States of TCP sockets by who talks to whom: how long they last and how they end from the kernel side's totals, how
//! many there are now from the inventory.

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
    /// Entered it while this was traced, and are in it still.
    pub inside: u64,
    /// For how long these have been, on average.
    pub inside_mean_ns: Option<u64>,
    /// Left it.
    pub left: u64,
    /// After how long, on average.
    pub mean_ns: Option<u64>,
    /// The longest since the start.
    pub max_ns: Option<u64>,
}

/// Connections of one process with one destination, or of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRow {
    /// Whose, and with whom.
    pub peer: Peer,
    /// The owner's name.
    pub who: Who,
    /// Indexed as the kernel numbers states; `None` where nothing was traced of the row.
    pub traced: Option<Traced>,
    /// What the inventory found; `None` where it did not look, or nothing of the row.
    pub now: Option<Now>,
}

/// What the kernel side counted in the time that the answer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traced {
    /// By state.
    pub states: [InState; STATES],
    /// Connections by how long they were ESTABLISHED: slot n holds those of less than 2^n us.
    pub lives: [u64; LIVES],
    /// Connections that came to be.
    pub opened: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Of these, the owner closed first.
    pub closed_first: u64,
    /// Of these, the peer did.
    pub peer_closed_first: u64,
    /// Of these, reset by the owner's SO_LINGER of 0 s.
    pub linger_resets: u64,
    /// Of these, reset because the owner had not read all.
    pub unread_resets: u64,
    /// Of these, reset by the peer.
    pub peer_resets: u64,
    /// Of these, given up because the peer did not answer.
    pub timed_out: u64,
    /// Bytes received by those that ended.
    pub bytes_received: u64,
    /// Bytes sent and acknowledged.
    pub bytes_acked: u64,
    /// close() with an SO_LINGER that lets it wait.
    pub lingering: u64,
    /// How long these took, all together.
    pub lingering_ns: u64,
    /// The longest since the start.
    pub lingering_max_ns: u64,
}

/// What there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Sockets by state, indexed as the kernel numbers states.
    pub states: [u64; STATES],
    /// Of those in FIN_WAIT2, the ones that no process holds any more.
    pub orphaned: u64,
    /// Of those in CLOSE_WAIT, the ones that have been seen there for at least [`lingerers::LONG_NS`].
    pub stuck: u64,
    /// The longest that one of these has been seen.
    pub stuck_max_ns: u64,
    /// In CLOSE_WAIT when the row was first looked at.
    pub close_wait_first: u64,
}

/// Answers of the state signal at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateSnapshot {
    /// Sockets were looked at.
    pub surveyed: bool,
    /// How long ago they were looked at for the first time.
    pub surveyed_for_ns: u64,
    /// Busiest first.
    pub rows: Vec<StateRow>,
    /// Sockets that no process holds and that wait for their end, in all namespaces; `None`: not known.
    pub orphans: Option<u64>,
}

/// Interval and total of the state signal.
#[derive(Debug, Default)]
pub struct StateAggregate {
    now_ns: u64,
    now: HashMap<RawPeer, RawStateTotals, RandomState>,
    last: HashMap<RawPeer, RawStateTotals, RandomState>,
    lingerers: Lingerers,
}

impl StateAggregate {
    /// Takes the totals of the kernel side, counted since the start, as they are at this moment. They are all there are: a row
    /// that is gone is part of another (`merged`).
    pub fn enter(&mut self, totals: &[(RawPeer, RawStateTotals)], merged: &[(RawPeer, RawPeer)], now_ns: u64) {
        carry(&mut self.last, merged);
        self.now_ns = now_ns;
        self.now.clear();
        self.now.extend(totals.iter().copied());
    }

    /// Takes the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        self.lingerers.survey(inventory);
    }

    /// Ends the interval and answers for it.
    pub fn tick(&mut self) -> StateSnapshot {
        let snapshot = self.snapshot(Some(&self.last));
        self.last.clone_from(&self.now);
        snapshot
    }

    /// Answers for everything since the start.
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
    /// What was added to `totals` after `before`. What is under way is that of now, whenever it began.
    fn since(totals: &RawStateTotals, before: Option<&RawStateTotals>, now_ns: u64) -> Self {
        let state = |slot: usize| in_state(&totals.states[slot], before.map(|before| &before.states[slot]), now_ns);
        let diff = |of: fn(&RawStateTotals) -> u64| of(totals).saturating_sub(before.map_or(0, of));
        Self {
            states: std::array::from_fn(state),
            lives: std::array::from_fn(|slot| {
                totals.lives[slot].saturating_sub(before.map_or(0, |before| before.lives[slot]))
            }),
            // What moved to its owner in the interval is taken off whom it was counted under.
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

    /// Of a state.
    pub fn state(&self, state: u8) -> &InState {
        &self.states[usize::from(state) % STATES]
    }

    /// How long connections were ESTABLISHED, on average.
    pub fn life_mean_ns(&self) -> Option<u64> {
        self.state(tcp_state::ESTABLISHED).mean_ns
    }

    /// Something happened, or is under way.
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
    // A change under way on another CPU may be seen half: nobody is inside less than nobody.
    let inside = if now.inside > u64::MAX / 2 { 0 } else { now.inside };
    // The sums overflow, their difference does not.
    let ages_ns = inside.wrapping_mul(now_ns).wrapping_sub(now.inside_since_ns);
    InState {
        inside,
        inside_mean_ns: (ages_ns <= u64::MAX / 2).then(|| ages_ns.checked_div(inside)).flatten(),
        left,
        mean_ns: ns.checked_div(left),
        max_ns: (now.left > 0).then_some(now.max_ns),
    }
}

/// One state, all rows together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfAll {
    /// Sockets in it.
    pub now: Option<u64>,
    /// Left it.
    pub left: Option<u64>,
    /// After how long, on average.
    pub mean_ns: Option<u64>,
    /// The longest since the start.
    pub max_ns: Option<u64>,
}

impl StateSnapshot {
    /// A state, all rows together.
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
    /// Sockets in a state now: as the inventory has it, else of those that were traced into it.
    pub fn in_state(&self, state: State) -> Option<u64> {
        match (&self.now, &self.traced) {
            (Some(now), _) => Some(now.states[usize::from(number(state))]),
            (None, Some(traced)) => Some(traced.state(number(state)).inside),
            (None, None) => None,
        }
    }

    /// Connections that came to be or ended, and what waits for somebody to do something.
    fn weight(&self) -> u64 {
        let traced = self.traced.map_or(0, |traced| traced.opened + traced.closed + traced.lingering);
        let now = self.now.map_or(0, |now| now.states[usize::from(tcp_state::CLOSE_WAIT)] + now.orphaned);
        traced + now
    }
}
