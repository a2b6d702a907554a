// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bind signal: which processes search for ports with `bind()`, how long that takes, whose sockets connect
//! afterwards, and which ports carry its mark.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tcp_trace_common::bind::{RawBindCounts, RawBindTotals, RawBinder};

use super::{
    distribution::{Distribution, Recorder},
    marks::Marks,
    tally::Process,
};
use crate::{
    event::{Cgroup, Comm},
    inventory::{Inventory, Space, owners::Owners, socket::State},
    model::{
        folded::FoldedPhase,
        totals::{BindSite, BindTotals},
    },
    outside::Text,
    source::retired::carry_in_list,
};

/// Number of processes that are named per namespace.
const HOLDERS: usize = 16;

/// State of the bind signal for an interval or a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindSnapshot {
    /// Calling processes, busiest first.
    pub binders: Vec<Binder>,
    /// Time in binds to port 0, in ns.
    pub any_port: Distribution,
    /// Time in binds to an explicit port, in ns.
    pub a_port: Distribution,
    /// Ports marked now, by network namespace; `None`: unavailable here, or not read.
    pub marks: Option<Vec<SpaceMarks>>,
}

/// A process in one network namespace, and its binds.
#[derive(Clone, Debug, PartialEq)]
pub struct Binder {
    /// The calling process.
    pub process: Process,
    /// Inode of the network namespace.
    pub netns: u32,
    /// User id.
    pub uid: u32,
    /// The process's cgroup v2.
    pub cgroup: Option<Cgroup>,
    /// The port range that the kernel chooses from.
    pub range: Option<(u16, u16)>,
    /// Counts of binds to port 0.
    pub any_port: RawBindCounts,
    /// Counts of binds to an explicit port.
    pub a_port: RawBindCounts,
    /// Binds to an explicit port within the range that succeeded.
    pub in_range: u64,
    /// Call sites, busiest first, counted since the start.
    pub sites: Vec<BindSite>,
}

impl Binder {
    /// The number of all binds of the process.
    pub fn calls(&self) -> u64 {
        self.any_port.calls + self.a_port.calls
    }

    /// The process as `envoy (1234)`.
    pub fn name(&self) -> String {
        format!("{} ({})", self.process.comm, self.process.pid)
    }

    /// The call site with most binds to port 0, if known.
    pub fn any_port_site(&self) -> Option<&str> {
        self.sites.iter().filter(|site| site.any_port).find_map(|site| site.name.as_deref())
    }
}

/// Marked ports of one network namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpaceMarks {
    /// Inode number of the namespace.
    pub netns: u32,
    /// Name of the namespace, if it has one.
    pub name: Option<Text>,
    /// The marked ports.
    pub marks: Marks,
    /// Processes that hold ports of `marks.bound`, most ports first, as far as owners are known.
    pub holders: Vec<(Process, u64)>,
}

impl SpaceMarks {
    /// The marks of `space`; `None` if they were not read, or the range is unknown.
    fn of(space: &Space, owners: &Owners) -> Option<Self> {
        let marks = Marks::of(space.marks.as_ref()?, space.sysctls.ip_local_port_range?);
        let mut ports: HashMap<Process, u64, RandomState> = HashMap::default();
        let connected = space.sockets.iter().filter(|socket| socket.state != State::Listen);
        for socket in connected.filter(|socket| marks.is_bound(socket.sport)) {
            if let Some(owner) = owners.of(socket) {
                *ports.entry(Process { pid: owner.pid, comm: owner.comm }).or_default() += 1;
            }
        }
        let mut holders: Vec<_> = ports.into_iter().collect();
        holders.sort_by_key(|(process, ports)| (std::cmp::Reverse(*ports), *process));
        holders.truncate(HOLDERS);
        Some(Self { netns: space.namespace.inode, name: space.namespace.name.clone(), marks, holders })
    }
}

/// Turns running totals into differences per interval.
#[derive(Clone, Debug, Default)]
pub struct BindAggregate {
    last: BindTotals,
    now: BindTotals,
    marks: Option<Vec<SpaceMarks>>,
}

impl BindAggregate {
    /// Takes the totals of the kernel side, counted since the start. A missing process was merged into another one
    /// (`merged`).
    pub fn enter(&mut self, totals: &BindTotals, merged: &[(RawBinder, RawBinder)]) {
        carry_in_list(&mut self.last.binders, merged);
        self.now.clone_from(totals);
    }

    /// Consumes the ports marked now, if they were read.
    pub fn survey(&mut self, inventory: &Inventory) {
        let spaces = inventory.spaces.iter();
        let marks: Vec<_> = spaces.filter_map(|space| SpaceMarks::of(space, &inventory.owners)).collect();
        self.marks = (!marks.is_empty()).then_some(marks);
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> BindSnapshot {
        let interval = self.since(&self.last);
        self.last.clone_from(&self.now);
        interval
    }

    /// The snapshot of everything since the start.
    pub fn total(&self) -> BindSnapshot {
        self.since(&BindTotals::default())
    }

    fn since(&self, before: &BindTotals) -> BindSnapshot {
        let earlier: HashMap<RawBinder, &RawBindTotals, RandomState> =
            before.binders.iter().map(|(key, totals)| (*key, totals)).collect();
        let nothing = RawBindTotals::default();
        let all = self.now.binders.iter();
        let changed = all.map(|(key, totals)| binder(*key, totals, earlier.get(key).unwrap_or(&&nothing)));
        let mut binders: Vec<Binder> = changed.filter(|binder| binder.calls() > 0 || binder.connected() > 0).collect();
        for binder in &mut binders {
            binder.sites = sites(&self.now.sites, binder.process.pid);
        }
        binders.sort_by_key(|binder| (std::cmp::Reverse(binder.calls()), binder.process, binder.netns));
        BindSnapshot {
            binders,
            any_port: distribution(&self.now.any_port, &before.any_port),
            a_port: distribution(&self.now.a_port, &before.a_port),
            marks: self.marks.clone(),
        }
    }
}

impl Binder {
    fn connected(&self) -> u64 {
        self.any_port.connected + self.a_port.connected
    }
}

fn binder(key: RawBinder, now: &RawBindTotals, before: &RawBindTotals) -> Binder {
    Binder {
        process: Process { pid: key.tgid, comm: Comm::from_kernel(&now.comm) },
        netns: key.netns,
        uid: now.uid,
        cgroup: Cgroup::from_kernel(now.cgroup_id),
        range: (now.range_high != 0).then_some((now.range_low, now.range_high)),
        any_port: difference(&now.any_port, &before.any_port),
        a_port: difference(&now.a_port, &before.a_port),
        in_range: now.in_range.saturating_sub(before.in_range),
        sites: Vec::new(),
    }
}

fn difference(now: &RawBindCounts, before: &RawBindCounts) -> RawBindCounts {
    RawBindCounts {
        calls: now.calls.saturating_sub(before.calls),
        in_use: now.in_use.saturating_sub(before.in_use),
        connected: now.connected.saturating_sub(before.connected),
        shared: now.shared.saturating_sub(before.shared),
        took_ns: now.took_ns.saturating_sub(before.took_ns),
    }
}

/// Call sites of one process; stacks with the same text are one site.
fn sites(all: &[BindSite], pid: u32) -> Vec<BindSite> {
    let mut of_process: Vec<BindSite> = Vec::new();
    for site in all.iter().filter(|site| site.pid == pid) {
        match of_process.iter_mut().find(|known| known.any_port == site.any_port && known.name == site.name) {
            Some(known) => known.calls += site.calls,
            None => of_process.push(site.clone()),
        }
    }
    of_process.sort_by(|a, b| (b.calls, &a.name).cmp(&(a.calls, &b.name)));
    of_process
}

fn distribution(now: &FoldedPhase, before: &FoldedPhase) -> Distribution {
    let earlier = before.buckets.iter().copied().chain(std::iter::repeat(0));
    let buckets = now.buckets.iter().zip(earlier).map(|(now, before)| now.saturating_sub(before)).collect();
    let mut recorder = Recorder::new();
    recorder.merge_folded(&FoldedPhase { buckets, max: now.max });
    recorder.distribution()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(calls: u64, connected: u64) -> BindTotals {
        let counts = RawBindCounts { calls, connected, took_ns: 10 * calls, ..RawBindCounts::default() };
        let value =
            RawBindTotals { any_port: counts, range_low: 32_768, range_high: 60_999, ..RawBindTotals::default() };
        let site = |name: &str, calls| BindSite { pid: 7, any_port: true, name: Some(name.into()), calls };
        BindTotals {
            binders: vec![(RawBinder { tgid: 7, netns: 1, ..RawBinder::default() }, value)],
            sites: vec![site("a", 1), site("b", 5), site("a", calls)],
            ..BindTotals::default()
        }
    }

    #[test]
    fn intervals_are_differences_and_the_rest_is_as_it_is() {
        let mut aggregate = BindAggregate::default();
        aggregate.enter(&totals(10, 4), &[]);
        assert_eq!(aggregate.tick().binders[0].any_port.calls, 10);
        assert!(aggregate.tick().binders.is_empty(), "nothing happened");
        aggregate.enter(&totals(13, 6), &[]);
        let interval = aggregate.tick();
        assert_eq!((interval.binders[0].any_port.calls, interval.binders[0].any_port.connected), (3, 2));
        assert_eq!(interval.binders[0].any_port_site(), Some("a"));
        assert_eq!(aggregate.total().binders[0].any_port.calls, 13);
        assert_eq!(interval.marks, None);
        let mut others = totals(20, 6);
        others.binders[0].0.tgid = 8;
        aggregate.enter(
            &others,
            &[(
                RawBinder { tgid: 7, netns: 1, ..RawBinder::default() },
                RawBinder { tgid: 8, netns: 1, ..RawBinder::default() },
            )],
        );
        assert_eq!(
            aggregate.tick().binders[0].any_port.calls,
            7,
            "what was reported of the other is not counted again"
        );
    }
}
