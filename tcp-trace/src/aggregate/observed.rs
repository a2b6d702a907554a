// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything observed in an interval or a run, one snapshot per signal; signals that were not requested are empty.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    bind::BindSnapshot, connect::ConnectSnapshot, limits::LimitsSnapshot, listen::ListenSnapshot, ports::PortsSnapshot,
    state::StateSnapshot, time_wait_owners::OwnerRow,
};
use crate::{inventory::Space, kernel::rules::Sysctls, model::time_wait::TimeWaitSnapshot, outside::Text};

/// The snapshots of all signals, because a finding may use several.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Length of the interval or the run, in seconds.
    pub seconds: f64,
    /// The connect signal.
    pub connect: ConnectSnapshot,
    /// The bind signal, and the ports that carry a mark.
    pub bind: BindSnapshot,
    /// TIME_WAIT by namespace.
    pub time_wait: TimeWaitSnapshot,
    /// The state signal.
    pub states: StateSnapshot,
    /// TIME_WAIT by owner, if requested.
    pub time_wait_owners: Vec<OwnerRow>,
    /// Limits around connections.
    pub limits: LimitsSnapshot,
    /// The listen signal.
    pub listen: ListenSnapshot,
    /// Local ports as they are now.
    pub ports: Arc<PortsSnapshot>,
    /// The network namespaces that were read, by inode number.
    pub spaces: Arc<BTreeMap<u32, SpaceFacts>>,
}

/// Name and settings of a network namespace, so that a fix is right for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceFacts {
    /// Its container, or its name in `ip netns`.
    pub name: Option<Text>,
    /// A file through which nsenter(1) enters it; `None`: the agent is in it.
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
    /// The namespace as `4026531840 (docker/3f2a1b0c9d8e)`.
    pub fn netns_label(&self, netns: u32) -> String {
        match self.spaces.get(&netns).and_then(|space| space.name.as_ref()) {
            Some(name) => format!("{netns} ({name})"),
            None => netns.to_string(),
        }
    }
}
