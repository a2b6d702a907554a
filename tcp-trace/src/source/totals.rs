// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals that the kernel side keeps independent of streamed events, counted since the start.

use tcp_trace_common::{
    listen::{RawListener, RawListenerKey},
    names,
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::{binds::BindMaps, retired::Retiring};
use crate::{
    clock,
    model::totals::{Merged, Totals},
    probes::{attach::Attached, table::Signal},
};

/// The maps with totals.
pub struct TotalsMaps {
    time_wait: Retiring<u32, RawTimeWaitTotals>,
    listeners: Retiring<RawListenerKey, RawListener>,
    sees_listeners: bool,
    binds: BindMaps,
    time_wait_owners: Retiring<RawPeer, RawTimeWaitOwner>,
    states: Retiring<RawPeer, RawStateTotals>,
}

impl TotalsMaps {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// When the object lacks a map.
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

    /// Reads the totals, without names.
    ///
    /// # Errors
    /// When a map cannot be read: then the totals are unknown, not 0.
    pub fn read(&mut self) -> anyhow::Result<Totals> {
        let totals = Totals {
            time_wait: self.time_wait.read()?,
            binds: self.binds.read()?,
            listeners: self.sees_listeners.then(|| self.listeners.read()).transpose()?,
            time_wait_owners: self.time_wait_owners.read()?,
            states: self.states.read()?,
            ..Totals::default()
        };
        // Taken only once every map was read: a failed read must not lose them.
        let merged = Merged {
            time_wait: self.time_wait.merged(),
            listeners: self.listeners.merged(),
            binders: self.binds.merged(),
            time_wait_owners: self.time_wait_owners.merged(),
            states: self.states.merged(),
        };
        Ok(Totals { merged, read_ns: clock::monotonic_ns(), ..totals })
    }
}
