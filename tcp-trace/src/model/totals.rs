// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals that the kernel side keeps whatever is streamed, as they travel: counted since the start.

use tcp_trace_common::{
    bind::{RawBindTotals, RawBinder},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::folded::FoldedPhase;
use crate::outside::Text;

/// What they say at a moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// TIME_WAIT, by inode of the network namespace.
    pub time_wait: Vec<(u32, RawTimeWaitTotals)>,
    /// Listeners that anything happened to; `None`: no program sees them.
    pub listeners: Option<Vec<(RawListenerKey, RawListener)>>,
    /// `bind()`.
    pub binds: BindTotals,
    /// TIME_WAIT, by who closed first and towards whom.
    pub time_wait_owners: Vec<(RawPeer, RawTimeWaitOwner)>,
    /// States, by who talks to whom.
    pub states: Vec<(RawPeer, RawStateTotals)>,
    /// The cgroups of those who bind, close or talk, as far as they have a path.
    pub cgroups: Vec<NamedCgroup>,
    /// Rows that are part of others from now on.
    pub merged: Merged,
    /// When they were read, on the monotonic clock.
    pub read_ns: u64,
}

/// Keys of rows of which the totals were added to those of another row since the last time, each with the key of the other:
/// what was told of the former before was told of the latter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Network namespaces.
    pub time_wait: Vec<(u32, u32)>,
    /// Listeners.
    pub listeners: Vec<(RawListenerKey, RawListenerKey)>,
    /// Processes that bind.
    pub binders: Vec<(RawBinder, RawBinder)>,
    /// TIME_WAIT by owner.
    pub time_wait_owners: Vec<(RawPeer, RawPeer)>,
    /// States.
    pub states: Vec<(RawPeer, RawPeer)>,
}

/// A cgroup v2 that the kernel side keeps by its number only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCgroup {
    /// What the kernel calls it.
    pub id: u64,
    /// Path below the cgroup v2 root.
    pub path: Text,
}

impl Totals {
    /// The cgroups of those who bind, close or talk, as often as they have rows.
    pub fn cgroup_ids(&self) -> impl Iterator<Item = u64> {
        let binders = self.binds.binders.iter().map(|(_, binder)| binder.cgroup_id);
        let owners = self.time_wait_owners.iter().map(|(_, owner)| owner.cgroup_id);
        binders.chain(owners).chain(self.states.iter().map(|(_, state)| state.cgroup_id))
    }
}

/// Since the start.
#[derive(Clone, Debug, Default)]
pub struct BindTotals {
    /// By process and network namespace.
    pub binders: Vec<(RawBinder, RawBindTotals)>,
    /// Places in programs that bind.
    pub sites: Vec<BindSite>,
    /// Time in binds to port 0.
    pub any_port: FoldedPhase,
    /// Time in binds to a port of their own.
    pub a_port: FoldedPhase,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSite {
    /// In which process.
    pub pid: u32,
    /// Binds to port 0.
    pub any_port: bool,
    /// In words; `None`: not known.
    pub name: Option<Text>,
    /// Binds from there.
    pub calls: u64,
}
