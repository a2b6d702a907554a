// SPDX-License-Identifier: MIT OR Apache-2.0
//! All aggregates together: each one consumes the messages of its signal.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{
    bind::{BindAggregate, BindSnapshot},
    connect::{ConnectAggregate, ConnectSnapshot},
    limits::LimitsAggregate,
    listen::ListenAggregate,
    observed::{Observed, SpaceFacts},
    ports::PortsAggregate,
    state::{StateAggregate, StateSnapshot},
    time_wait::TimeWaitAggregate,
    time_wait_owners::{OwnerRow, TimeWaitOwners},
};
use crate::{
    event::{Cgroup, Connect, Event, Outcome},
    inventory::Inventory,
    model::{
        folded::{Folded, FoldedRow},
        scope::Scope,
        time_wait::TimeWaitSnapshot,
        totals::Totals,
    },
    outside::Text,
    session_info::SessionInfo,
};

/// Number of cgroups whose path is learned from events.
const CGROUPS: usize = 4096;
/// Cgroups whose path is known; above this many, those that no total is of are forgotten.
const MOST_CGROUPS: usize = 65_536;

/// Everything observed so far.
#[derive(Debug, Default)]
pub struct Aggregates {
    connect: ConnectAggregate,
    bind: BindAggregate,
    time_wait: TimeWaitAggregate,
    limits: LimitsAggregate,
    listen: ListenAggregate,
    ports: PortsAggregate,
    spaces: Arc<BTreeMap<u32, SpaceFacts>>,
    states: StateAggregate,
    time_wait_owners: TimeWaitOwners,
    scope: Scope,
    cgroups: HashMap<u64, Text, RandomState>,
    /// Whether the kernel side adds up each attempt that ends in rows.
    has_rows: bool,
}

impl Aggregates {
    /// Aggregates without any observation.
    pub fn new(session: &SessionInfo) -> Self {
        let SessionInfo { rules, scope, time_wait_in_detail, has_rows, .. } = *session;
        let time_wait_start = session.time_wait_start.clone().unwrap_or_default();
        let time_wait = TimeWaitAggregate::new(time_wait_start, time_wait_in_detail);
        Self { time_wait, ports: PortsAggregate::new(rules, scope), scope, has_rows, ..Self::default() }
    }

    /// Consumes one event.
    pub fn observe(&mut self, event: &Event) {
        self.listen.observe(event);
        if let Event::Connect(connect) = event {
            self.connect.hear();
            self.learn_cgroup(connect);
            match (self.has_rows, connect.outcome) {
                (false, _) => self.connect.observe(connect),
                (true, Outcome::Pending) => self.connect.observe_pending(connect),
                (true, _) => return,
            }
            self.row(&FoldedRow::of(connect));
        }
    }

    /// Consumes attempts that the kernel side added up; `unknown` attempts have no known outcome, `not_followed` of
    /// them because they were not followed.
    pub fn observe_folded(&mut self, folded: Option<&Folded>, unknown: u64, not_followed: u64) {
        if let Some(folded) = folded {
            self.connect.observe_folded(folded, self.has_rows);
            folded.rows.iter().for_each(|row| self.row(row));
        }
        self.connect.observe_unknown(unknown, not_followed);
    }

    /// Lets other aggregates learn from a row of connects.
    fn row(&mut self, row: &FoldedRow) {
        self.ports.observe(row);
        self.listen.connected(row);
    }

    /// Learns the path of a cgroup from an event, because rows have only its id.
    fn learn_cgroup(&mut self, connect: &Connect) {
        if let Some(Cgroup { id, path: Some(path) }) = &connect.caller.cgroup
            && self.cgroups.len() < CGROUPS
        {
            self.cgroups.entry(*id).or_insert_with(|| path.clone());
        }
    }

    /// Consumes the kernel side's totals, counted since the start.
    pub fn enter(&mut self, totals: &Totals) {
        let merged = &totals.merged;
        self.bind.enter(&totals.binds, &merged.binders);
        self.time_wait.enter(&totals.time_wait, &merged.time_wait);
        if let Some(listeners) = &totals.listeners {
            self.listen.enter(listeners, &merged.listeners);
        }
        self.states.enter(&totals.states, &merged.states, totals.read_ns);
        self.time_wait_owners.enter(&totals.time_wait_owners, &merged.time_wait_owners);
        self.cgroups.extend(totals.cgroups.iter().map(|cgroup| (cgroup.id, cgroup.path.clone())));
        if self.cgroups.len() > MOST_CGROUPS {
            let used: HashSet<u64, RandomState> = totals.cgroup_ids().collect();
            self.cgroups.retain(|id, _| used.contains(id));
        }
    }

    /// Consumes TIME_WAIT totals from /proc.
    pub fn sample(&mut self, sampled: &TimeWaitSnapshot) {
        for (netns, totals) in sampled {
            self.time_wait.observe(*netns, *totals);
        }
    }

    /// Consumes an inventory of the sockets as they are now.
    pub fn survey(&mut self, inventory: &Inventory) {
        self.bind.survey(inventory);
        self.limits.survey(inventory);
        self.listen.survey(inventory);
        self.ports.survey(inventory);
        self.spaces = Arc::new(inventory.spaces.iter().map(SpaceFacts::of).collect());
        self.states.survey(inventory);
    }

    /// Ends the interval and returns its snapshots.
    pub fn tick(&mut self, seconds: f64) -> Observed {
        Observed {
            seconds,
            connect: self.clients_named(ConnectAggregate::tick),
            bind: self.binders_named(BindAggregate::tick),
            time_wait: self.time_wait.tick(),
            limits: self.limits.tick(),
            listen: self.listen.tick(),
            ports: self.ports.latest(),
            spaces: Arc::clone(&self.spaces),
            states: self.states_in_scope(StateAggregate::tick),
            time_wait_owners: self.owners_in_scope(TimeWaitOwners::tick),
        }
    }

    /// The snapshots of everything since the start.
    pub fn total(&mut self, seconds: f64) -> Observed {
        Observed {
            seconds,
            connect: self.clients_named(ConnectAggregate::total),
            bind: self.binders_named(|bind| bind.total()),
            time_wait: self.time_wait.total(),
            limits: self.limits.total(),
            listen: self.listen.total(),
            ports: self.ports.latest(),
            spaces: Arc::clone(&self.spaces),
            states: self.states_in_scope(|states| states.total()),
            time_wait_owners: self.owners_in_scope(|owners| owners.total()),
        }
    }

    fn clients_named(&mut self, answer: impl FnOnce(&mut ConnectAggregate) -> ConnectSnapshot) -> ConnectSnapshot {
        let mut snapshot = answer(&mut self.connect);
        let programs = snapshot.programs.iter_mut().map(|row| &mut row.key.program);
        let processes = snapshot.processes.iter_mut().map(|row| &mut row.key.program);
        programs.chain(processes).for_each(|program| self.name(&mut program.cgroup));
        snapshot
    }

    fn binders_named(&mut self, answer: impl FnOnce(&mut BindAggregate) -> BindSnapshot) -> BindSnapshot {
        let mut snapshot = answer(&mut self.bind);
        snapshot.binders.iter_mut().for_each(|binder| self.name(&mut binder.cgroup));
        snapshot
    }

    fn states_in_scope(&mut self, answer: impl FnOnce(&mut StateAggregate) -> StateSnapshot) -> StateSnapshot {
        let mut snapshot = answer(&mut self.states);
        snapshot.rows.retain(|row| self.scope.takes(&row.peer, &row.who));
        snapshot.rows.iter_mut().for_each(|row| self.name(&mut row.who.cgroup));
        snapshot
    }

    fn owners_in_scope(&mut self, answer: impl FnOnce(&mut TimeWaitOwners) -> Vec<OwnerRow>) -> Vec<OwnerRow> {
        let mut rows = answer(&mut self.time_wait_owners);
        rows.retain(|row| self.scope.takes(&row.peer, &row.who));
        rows.iter_mut().for_each(|row| self.name(&mut row.who.cgroup));
        rows
    }

    /// Sets the path of a cgroup that totals know only by id. Owners of sockets already have the path.
    fn name(&self, cgroup: &mut Option<Cgroup>) {
        if let Some(cgroup) = cgroup.as_mut().filter(|cgroup| cgroup.path.is_none()) {
            cgroup.path = self.cgroups.get(&cgroup.id).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use tcp_trace_common::{peer::RawPeer, state::RawStateTotals, time_wait::RawTimeWaitOwner};

    use super::*;
    use crate::model::totals::NamedCgroup;

    #[test]
    fn a_cgroup_keeps_the_path_that_it_had() {
        let mut aggregates = Aggregates::default();
        let peer = RawPeer { netns: 1, tgid: 7, ..RawPeer::default() };
        let talks = RawStateTotals { opened: 1, cgroup_id: 3, ..RawStateTotals::default() };
        let closed = RawTimeWaitOwner { events: [1; 9], cgroup_id: 4, ..RawTimeWaitOwner::default() };
        let mut totals =
            Totals { states: vec![(peer, talks)], time_wait_owners: vec![(peer, closed)], ..Totals::default() };
        totals.cgroups = vec![NamedCgroup { id: 3, path: "/pod".into() }];
        aggregates.enter(&totals);
        totals.cgroups.clear();
        aggregates.enter(&totals);
        let observed = aggregates.total(1.0);
        let named = |cgroup: &Option<Cgroup>| cgroup.as_ref().map(ToString::to_string);
        assert_eq!(named(&observed.states.rows[0].who.cgroup), Some("/pod".into()));
        assert_eq!(named(&observed.time_wait_owners[0].who.cgroup), Some("cgroup:4".into()));
        for beginning in (10..1_000_000).step_by(50_000) {
            let of = |id| NamedCgroup { id, path: "/short-lived".into() };
            totals.cgroups = (beginning..beginning + 50_000).map(of).collect();
            aggregates.enter(&totals);
            assert!(aggregates.cgroups.len() <= MOST_CGROUPS);
        }
        assert_eq!(named(&aggregates.total(1.0).states.rows[0].who.cgroup), Some("/pod".into()));
    }
}
