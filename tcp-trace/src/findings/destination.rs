// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known about one destination, from its connects and from the survey of sockets.

use std::net::SocketAddr;

use super::{Evidence, grouped, netns_shell::NetnsShell};
use crate::{
    aggregate::{
        observed::Observed,
        ports::{Group, held::By},
        tally::{Destination, Tally},
    },
    kernel::rules::{SearchRules, Sysctls},
};

/// One destination, and what was observed about it.
pub(super) struct DestinationContext<'a> {
    pub(super) destination: Destination,
    pub(super) tally: &'a Tally,
    /// Ports towards the destination, if sockets were surveyed.
    pub(super) group: Option<&'a Group>,
    pub(super) shell: NetnsShell,
    pub(super) rules: &'a SearchRules,
    observed: &'a Observed,
}

impl<'a> DestinationContext<'a> {
    /// A destination from its connects.
    pub(super) fn of_connects(
        observed: &'a Observed,
        rules: &'a SearchRules,
        own: &Sysctls,
        destination: Destination,
        tally: &'a Tally,
    ) -> Self {
        let shell = NetnsShell::of(observed, own, destination.netns, tally.caller.as_ref().map(|caller| caller.pid));
        Self { destination, tally, group: observed.ports.towards(destination), shell, rules, observed }
    }

    /// A destination from surveyed sockets, with what is known of the connects that made them.
    pub(super) fn of_sockets(
        observed: &'a Observed,
        rules: &'a SearchRules,
        own: &Sysctls,
        group: &'a Group,
        tally: &'a Tally,
    ) -> Self {
        let destination = group.route.destination();
        let pid = group.owner.as_ref().map(|(owner, _)| owner.pid);
        let shell = NetnsShell::of(observed, own, destination.netns, pid);
        Self { destination, tally, group: Some(group), shell, rules, observed }
    }

    /// The destination as `10.0.0.2:3306`.
    pub(super) fn to(&self) -> String {
        SocketAddr::new(self.destination.daddr, self.destination.dport).to_string()
    }

    /// Whether the half that is searched first is full of ports that every `connect()` skips, for any destination.
    pub(super) fn poisoned(&self) -> bool {
        let mut spaces = self.observed.bind.marks.iter().flatten();
        let marks = spaces.find(|space| space.netns == self.destination.netns).map(|space| &space.marks);
        marks.is_some_and(|marks| marks.poisoned_first_half * 10 >= marks.ports().div_ceil(2) * 9)
    }

    /// Current number of TIME_WAIT minisockets in the namespace.
    pub(super) fn time_wait_level(&self) -> Option<u64> {
        self.observed.time_wait.get(&self.destination.netns)?.level
    }

    /// Whether TIME_WAIT holds the ports: from the sockets, or from sampled refusals of candidates. Otherwise the
    /// namespace's level can only rule it out, when there are too few minisockets to matter.
    pub(super) fn held_by_time_wait(&self) -> Option<bool> {
        if let Some(group) = self.group.filter(|group| group.held.taken().both() > 0) {
            return Some(group.held.by(By::TimeWait).both() * 10 >= group.held.taken().both());
        }
        let (time_wait, in_use) = (self.tally.time_wait.sum, self.tally.in_use.sum);
        if time_wait + in_use > 0 {
            return Some(time_wait * 10 >= time_wait + in_use);
        }
        let ports = self.ports()?;
        (self.time_wait_level()? < ports / 10).then_some(false)
    }

    /// The port range that the search covers.
    pub(super) fn range(&self) -> Option<(u16, u16)> {
        self.tally.range.or_else(|| self.group.map(|group| (group.range.low, group.range.high)))
    }

    /// The number of ports in that range.
    pub(super) fn ports(&self) -> Option<u64> {
        self.range().map(|(low, high)| u64::from(high.saturating_sub(low)) + 1)
    }

    /// The process that connects, or else the one that holds the sockets.
    pub(super) fn caller(&self) -> Evidence {
        let caller = self.tally.caller.as_ref().map(|caller| format!("{} ({})", caller.comm, caller.pid));
        let owner = || self.group?.owner.as_ref().map(|(owner, _)| format!("{} ({})", owner.comm, owner.pid));
        caller.or_else(owner).map_or(Evidence::Unknown, Evidence::Text)
    }

    pub(super) fn range_evidence(&self) -> Evidence {
        self.range().map_or(Evidence::Unknown, |(low, high)| Evidence::Text(format!("{low}-{high}")))
    }

    /// What takes the ports, if sockets were surveyed.
    pub(super) fn taken_by(&self) -> Evidence {
        let Some(group) = self.group else { return Evidence::Unknown };
        let all = By::ALL.into_iter().map(|by| (by, group.held.by(by).both())).filter(|(_, ports)| *ports > 0);
        let words: Vec<String> =
            all.map(|(by, ports)| format!("{} {}", by.name().replace('_', " "), grouped(ports.into()))).collect();
        Evidence::Text(words.join(" + "))
    }
}
