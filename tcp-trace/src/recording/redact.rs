// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings for sharing: names and addresses become pseudonyms, one per name throughout the file. They are numbers in
//! order of appearance, so names cannot be guessed and checked. Stacks are left out.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use foldhash::fast::RandomState;
use tcp_trace_common::{Address, COMM_LEN, listen::RawListenerKey};

use crate::{
    event::{Caller, Cgroup, Comm, Event},
    exit::Failure,
    inventory::{
        Inventory,
        owners::{Owner, Owners},
    },
    model::{folded::FoldedRow, scope::Scope, totals::Totals},
    outside::Text,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// Upper limit of pseudonyms per kind; further names share one.
const LIMIT: usize = 1 << 20;

/// A consumer that passes on messages with pseudonyms only.
#[derive(Debug)]
pub struct Redacted<F> {
    /// The consumer behind it.
    pub consumer: F,
    pseudonyms: Pseudonyms,
}

impl<F> Redacted<F> {
    /// Starts without any names.
    pub fn new(consumer: F) -> Self {
        Self { consumer, pseudonyms: Pseudonyms::default() }
    }
}

/// The session without names. Filters are removed too, because they may contain names.
pub fn session_info(known: &SessionInfo) -> SessionInfo {
    SessionInfo { scope: Scope::default(), ..known.clone() }
}

impl<F: Consumer> Consumer for Redacted<F> {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match message {
            Message::Event(Event::Stack(_)) => Ok(()),
            Message::Event(event) => {
                let mut event = event.clone();
                self.pseudonyms.event(&mut event);
                self.consumer.consume(Message::Event(&event))
            }
            Message::Totals(totals) => {
                let mut totals = totals.clone();
                self.pseudonyms.totals(&mut totals);
                self.consumer.consume(Message::Totals(&totals))
            }
            Message::Inventory(inventory) => {
                let mut inventory = inventory.clone();
                self.pseudonyms.inventory(&mut inventory);
                self.consumer.consume(Message::Inventory(&inventory))
            }
            Message::Counters(counters) if counters.folded.is_some() => {
                let mut counters = counters.clone();
                counters.folded.iter_mut().flat_map(|folded| &mut folded.rows).for_each(|row| self.pseudonyms.row(row));
                self.consumer.consume(Message::Counters(&counters))
            }
            Message::Counters(_) | Message::TimeWait(_) | Message::Tick(_) | Message::End(_) => {
                self.consumer.consume(message)
            }
        }
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        self.consumer.flush()
    }
}

/// Pseudonyms given so far.
#[derive(Debug, Default)]
struct Pseudonyms {
    v4: HashMap<Ipv4Addr, u32, RandomState>,
    v6: HashMap<Ipv6Addr, u32, RandomState>,
    comms: HashMap<Comm, u32, RandomState>,
    cgroups: HashMap<Text, u32, RandomState>,
    /// Kernel addresses.
    pointers: HashMap<u64, u32, RandomState>,
}

/// The number of a name, from 1 on.
fn number<T: Eq + Hash>(known: &mut HashMap<T, u32, RandomState>, name: T) -> u32 {
    let next = known.len().min(LIMIT) as u32 + 1;
    if known.len() >= LIMIT {
        return known.get(&name).copied().unwrap_or(next);
    }
    *known.entry(name).or_insert(next)
}

impl Pseudonyms {
    fn event(&mut self, event: &mut Event) {
        match event {
            Event::Connect(connect) => {
                self.caller(&mut connect.caller);
                self.addresses([&mut connect.saddr, &mut connect.daddr]);
            }
            Event::TimeWait(time_wait) => {
                self.comm(&mut time_wait.owner_comm);
                self.addresses([&mut time_wait.saddr, &mut time_wait.daddr]);
            }
            Event::ListenDrop(dropped) => {
                dropped.saddr = self.address(dropped.saddr);
                if let Some(client) = &mut dropped.client {
                    client.set_ip(self.address(client.ip()));
                }
            }
            Event::Bind(bind) => {
                self.caller(&mut bind.caller);
                bind.saddr = self.address(bind.saddr);
                bind.call_site = bind.call_site.as_ref().map(|_| "redacted".into());
            }
            Event::State(state) => {
                self.comm(&mut state.comm);
                self.cgroup(&mut state.cgroup);
                self.addresses([&mut state.saddr, &mut state.daddr]);
            }
            Event::Stack(_) | Event::Detail(_) | Event::Lost(_) => {}
        }
    }

    fn row(&mut self, row: &mut FoldedRow) {
        row.comm = self.named(row.comm);
        row.daddr = self.address(row.daddr);
    }

    fn totals(&mut self, totals: &mut Totals) {
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
        key.sk = number(&mut self.pointers, key.sk).into();
    }

    fn inventory(&mut self, inventory: &mut Inventory) {
        for space in &mut inventory.spaces {
            space.namespace.forget_names();
            for socket in &mut space.sockets {
                (socket.saddr, socket.daddr) = (self.address(socket.saddr), self.address(socket.daddr));
            }
        }
        let mut owners = Vec::new();
        for owner in inventory.owners.all() {
            let mut cgroup = owner.cgroup.clone();
            self.cgroup(&mut cgroup);
            owners.push(Arc::new(Owner { pid: owner.pid, comm: self.named(owner.comm), cgroup }));
        }
        inventory.owners = Owners::new(owners, inventory.owners.inodes());
        for process in inventory.limits.iter_mut().flat_map(|limits| &mut limits.processes.nearest) {
            process.comm = self.named(process.comm);
        }
    }

    fn caller(&mut self, caller: &mut Caller) {
        caller.comm = self.named(caller.comm);
        self.cgroup(&mut caller.cgroup);
    }

    fn named(&mut self, comm: Comm) -> Comm {
        Comm::from(&*format!("program-{}", number(&mut self.comms, comm)))
    }

    fn comm(&mut self, comm: &mut Option<Comm>) {
        *comm = comm.map(|comm| self.named(comm));
    }

    fn raw_comm(&mut self, comm: &mut [u8; COMM_LEN]) {
        if comm[0] != 0 {
            let name = self.named(Comm::from_kernel(comm));
            *comm = [0; COMM_LEN];
            comm[..name.len()].copy_from_slice(name.as_bytes());
        }
    }

    fn cgroup(&mut self, cgroup: &mut Option<Cgroup>) {
        if let Some(path) = cgroup.as_mut().and_then(|cgroup| cgroup.path.as_mut()) {
            self.path(path);
        }
    }

    fn path(&mut self, path: &mut Text) {
        *path = format!("/cgroup-{}", number(&mut self.cgroups, path.clone())).into();
    }

    /// Replaces an address, except those that every machine has.
    fn address(&mut self, address: IpAddr) -> IpAddr {
        match address {
            _ if address.is_loopback() || address.is_unspecified() => address,
            IpAddr::V4(v4) => Ipv4Addr::from_bits(0x0a00_0000 + number(&mut self.v4, v4)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits((0xfd << 120) + u128::from(number(&mut self.v6, v6))).into(),
        }
    }

    fn addresses(&mut self, addresses: [&mut IpAddr; 2]) {
        for address in addresses {
            *address = self.address(*address);
        }
    }

    /// Replaces a raw address; IPv4 is v4-mapped IPv6.
    fn raw_address(&mut self, address: Address) -> Address {
        let octets = match self.address(Ipv6Addr::from(address.octets()).to_canonical()) {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Address::new(octets)
    }
}
