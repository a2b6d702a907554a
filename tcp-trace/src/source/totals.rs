// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals that the kernel side keeps whatever is streamed, counted since the start.

use std::sync::Arc;

use tcp_trace_common::{
    listen::{RawListener, RawListenerKey},
    names,
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::{
    binds::{BindMaps, BindTotals},
    retired::Retiring,
};
use crate::{
    clock,
    probes::{attach::Attached, table::Signal},
};

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
    /// When they were read, on the monotonic clock.
    pub read_ns: u64,
}

/// A cgroup v2 that the kernel side keeps by its number only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCgroup {
    /// What the kernel calls it.
    pub id: u64,
    /// Path below the cgroup v2 root.
    pub path: Arc<str>,
}

impl Totals {
    /// The cgroups of those who bind, close or talk, as often as they have rows.
    pub fn cgroup_ids(&self) -> impl Iterator<Item = u64> {
        let binders = self.binds.binders.iter().map(|(_, binder)| binder.cgroup_id);
        let owners = self.time_wait_owners.iter().map(|(_, owner)| owner.cgroup_id);
        binders.chain(owners).chain(self.states.iter().map(|(_, state)| state.cgroup_id))
    }
}

/// The maps that hold them.
pub struct TotalsMaps {
    time_wait: Retiring<u32, RawTimeWaitTotals>,
    listeners: Retiring<RawListenerKey, RawListener>,
    sees_listeners: bool,
    binds: BindMaps,
    time_wait_owners: Retiring<RawPeer, RawTimeWaitOwner>,
    states: Retiring<RawPeer, RawStateTotals>,
}

impl TotalsMaps {
    /// Takes them out of the object.
    ///
    /// # Errors
    /// When it has not the maps of the contract.
    pub fn take(attached: &mut Attached) -> anyhow::Result<Self> {
        let sees_listeners = attached.tier(Signal::Listen).is_some();
        let ebpf = &mut attached.ebpf;
        let binds = BindMaps::take(ebpf)?;
        Ok(Self {
            time_wait: Retiring::take(ebpf, names::TIME_WAIT_TOTALS)?,
            listeners: Retiring::take(ebpf, names::LISTENERS)?,
            sees_listeners,
            binds,
            time_wait_owners: Retiring::take(ebpf, names::TIME_WAIT_OWNERS)?,
            states: Retiring::take(ebpf, names::STATE_TOTALS)?,
        })
    }

    /// Reads them, without names.
    pub fn read(&mut self) -> Totals {
        Totals {
            time_wait: self.time_wait.read(),
            binds: self.binds.read(),
            listeners: self.sees_listeners.then(|| self.listeners.read()),
            time_wait_owners: self.time_wait_owners.read(),
            states: self.states.read(),
            cgroups: Vec::new(),
            read_ns: clock::monotonic_ns(),
        }
    }
}
