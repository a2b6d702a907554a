// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pseudonyms in what is added up: rows, totals of the kernel side, sockets and their owners.

use std::sync::Arc;

use tcp_trace_common::listen::RawListenerKey;

use super::{event::Redact as _, pseudonyms::Pseudonyms};
use crate::{
    inventory::{
        Inventory,
        owners::{Owner, Owners},
    },
    model::{folded::FoldedRow, totals::Totals},
};

impl Pseudonyms {
    pub(super) fn row(&mut self, row: &mut FoldedRow) {
        row.comm = self.named(row.comm);
        row.daddr = self.address(row.daddr);
    }

    pub(super) fn totals(&mut self, totals: &mut Totals) {
        for (key, listener) in totals.listeners.iter_mut().flatten() {
            self.listener(key);
            self.raw_comm(&mut listener.owner_comm);
        }
        for (key, into) in &mut totals.merged.listeners {
            [key, into].into_iter().for_each(|key| self.listener(key));
        }
        for (key, into) in totals.merged.time_wait_owners.iter_mut().chain(&mut totals.merged.states) {
            [key, into].into_iter().for_each(|peer| peer.address = self.raw_address(peer.address));
        }
        totals.binds.binders.iter_mut().for_each(|(_, binder)| self.raw_comm(&mut binder.comm));
        totals.binds.sites.iter_mut().for_each(|site| site.name = site.name.as_ref().map(|_| "redacted".into()));
        for (peer, owner) in &mut totals.time_wait_owners {
            peer.address = self.raw_address(peer.address);
            self.raw_comm(&mut owner.comm);
        }
        for (peer, state) in &mut totals.states {
            peer.address = self.raw_address(peer.address);
            self.raw_comm(&mut state.comm);
        }
        totals.cgroups.iter_mut().for_each(|cgroup| self.path(&mut cgroup.path));
    }

    fn listener(&mut self, key: &mut RawListenerKey) {
        key.saddr = self.raw_address(key.saddr);
        key.sk = self.pointer(key.sk);
    }

    pub(super) fn inventory(&mut self, inventory: &mut Inventory) {
        for space in &mut inventory.spaces {
            space.namespace.forget_names();
            for socket in &mut space.sockets {
                (socket.saddr, socket.daddr) = (self.address(socket.saddr), self.address(socket.daddr));
            }
        }
        let mut owners = Vec::new();
        for owner in inventory.owners.all() {
            let mut cgroup = owner.cgroup.clone();
            cgroup.redact(self);
            owners.push(Arc::new(Owner { pid: owner.pid, comm: self.named(owner.comm), cgroup }));
        }
        inventory.owners = Owners::new(owners, inventory.owners.inodes());
        for process in inventory.limits.iter_mut().flat_map(|limits| &mut limits.processes.nearest) {
            process.comm = self.named(process.comm);
        }
    }
}
