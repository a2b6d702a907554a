// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that was looked at in an interval or a run, one snapshot a signal; what was not looked at is empty.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    bind::BindSnapshot, connect::ConnectSnapshot, limits::LimitsSnapshot, listen::ListenSnapshot, ports::PortsSnapshot,
    state::StateSnapshot, time_wait_owners::OwnerRow,
};
use crate::{inventory::Space, kernel::rules::Sysctls, model::time_wait::TimeWaitSnapshot, outside::Text};

/// Snapshots, side by side: a finding may rest on several.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// How long the interval, or the run, was.
    pub seconds: f64,
    /// The connect signal.
    pub connect: ConnectSnapshot,
    /// `bind()`, and the ports that carry its mark.
    pub bind: BindSnapshot,
    /// TIME_WAIT, by namespace.
    pub time_wait: TimeWaitSnapshot,
    /// The state signal.
    pub states: StateSnapshot,
    /// TIME_WAIT by owner, where it was asked for.
    pub time_wait_owners: Vec<OwnerRow>,
    /// Limits around connections.
    pub limits: LimitsSnapshot,
    /// Listeners.
    pub listen: ListenSnapshot,
    /// Local ports as they are now.
    pub ports: Arc<PortsSnapshot>,
    /// The network namespaces looked at, by inode.
    pub spaces: Arc<BTreeMap<u32, SpaceFacts>>,
}

/// What a network namespace is called, and how it is set up: a fix must be right for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceFacts {
    /// Its container, or its name among those of `ip netns`.
    pub name: Option<Text>,
    /// A file by which nsenter(1) gets there; `None`: the agent is there itself.
    pub entrance: Option<Text>,
    /// Its settings.
    pub sysctls: Sysctls,
}

impl SpaceFacts {
    pub(super) fn of(space: &Space) -> (u32, Self) {
        let namespace = &space.namespace;
        let facts =
            Self { name: namespace.name.clone(), entrance: namespace.entrance(), sysctls: space.sysctls.clone() };
        (namespace.inode, facts)
    }
}

impl Observed {
    /// `4026531840 (docker/3f2a1b0c9d8e)`
    pub fn netns_label(&self, netns: u32) -> String {
        match self.spaces.get(&netns).and_then(|space| space.name.as_ref()) {
            Some(name) => format!("{netns} ({name})"),
            None => netns.to_string(),
        }
    }
}
