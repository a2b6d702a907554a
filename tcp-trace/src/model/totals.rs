// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals that the kernel side keeps independent of streamed events, as they travel between stages: counted since the
//! start.

use tcp_trace_common::{
    bind::{RawBindTotals, RawBinder},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::folded::FoldedPhase;
use crate::outside::Text;

/// All totals at one time.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// TIME_WAIT by inode number of the network namespace.
    pub time_wait: Vec<(u32, RawTimeWaitTotals)>,
    /// Listeners with SYNs; `None`: no program traces them.
    pub listeners: Option<Vec<(RawListenerKey, RawListener)>>,
    /// Totals of `bind()`.
    pub binds: BindTotals,
    /// TIME_WAIT by the process that closed first, and by peer.
    pub time_wait_owners: Vec<(RawPeer, RawTimeWaitOwner)>,
    /// States by owner and peer.
    pub states: Vec<(RawPeer, RawStateTotals)>,
    /// Cgroups with a path, of processes in the totals.
    pub cgroups: Vec<NamedCgroup>,
    /// Rows that were merged since the last read.
    pub merged: Merged,
    /// Time of the reading on the monotonic clock, in ns.
    pub read_ns: u64,
}

/// Rows that the source merged into others since the last read: pairs of a row's key and the key of the row that holds its
/// totals now. What was remembered of the former must move to the latter, or it is counted twice.
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

/// A cgroup v2 that the kernel side keeps only by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCgroup {
    /// Id of the cgroup.
    pub id: u64,
    /// Path below the cgroup v2 root.
    pub path: Text,
}

impl Totals {
    /// Ids of the cgroups of all rows, with repetitions.
    pub fn cgroup_ids(&self) -> impl Iterator<Item = u64> {
        let binders = self.binds.binders.iter().map(|(_, binder)| binder.cgroup_id);
        let owners = self.time_wait_owners.iter().map(|(_, owner)| owner.cgroup_id);
        binders.chain(owners).chain(self.states.iter().map(|(_, state)| state.cgroup_id))
    }
}

/// Totals of `bind()` since the start.
#[derive(Clone, Debug, Default)]
pub struct BindTotals {
    /// Counts by process and network namespace.
    pub binders: Vec<(RawBinder, RawBindTotals)>,
    /// Call sites.
    pub sites: Vec<BindSite>,
    /// Time in binds to port 0, in ns.
    pub any_port: FoldedPhase,
    /// Time in binds to an explicit port, in ns.
    pub a_port: FoldedPhase,
}

/// A call site of `bind()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSite {
    /// Process id.
    pub pid: u32,
    /// Whether it binds to port 0.
    pub any_port: bool,
    /// The call site in words; `None`: unknown.
    pub name: Option<Text>,
    /// Number of binds from there.
    pub calls: u64,
}
