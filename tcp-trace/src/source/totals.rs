// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals that the kernel side keeps whatever is streamed, counted since the start.

use std::sync::Arc;

use anyhow::Context as _;
use aya::maps::{HashMap, MapData};
use tcp_trace_common::{
    listen::{RawListener, RawListenerKey},
    names,
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::binds::{BindMaps, BindTotals};
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
    time_wait: HashMap<MapData, u32, RawTimeWaitTotals>,
    listeners: HashMap<MapData, RawListenerKey, RawListener>,
    sees_listeners: bool,
    binds: BindMaps,
    time_wait_owners: HashMap<MapData, RawPeer, RawTimeWaitOwner>,
    states: HashMap<MapData, RawPeer, RawStateTotals>,
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
        let mut take = |name| ebpf.take_map(name).with_context(|| format!("no map {name} in the object"));
        Ok(Self {
            time_wait: HashMap::try_from(take(names::TIME_WAIT_TOTALS)?)?,
            listeners: HashMap::try_from(take(names::LISTENERS)?)?,
            sees_listeners,
            binds,
            time_wait_owners: HashMap::try_from(take(names::TIME_WAIT_OWNERS)?)?,
            states: HashMap::try_from(take(names::STATE_TOTALS)?)?,
        })
    }

    /// Reads them, without names. A key that vanishes while its map is walked is left out.
    pub fn read(&mut self) -> Totals {
        Totals {
            time_wait: self.time_wait.iter().filter_map(Result::ok).collect(),
            binds: self.binds.read(),
            listeners: self.sees_listeners.then(|| self.listeners.iter().filter_map(Result::ok).collect()),
            time_wait_owners: self.time_wait_owners.iter().filter_map(Result::ok).collect(),
            states: self.states.iter().filter_map(Result::ok).collect(),
            cgroups: Vec::new(),
            read_ns: clock::monotonic_ns(),
        }
    }
}
