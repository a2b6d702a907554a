// SPDX-License-Identifier: MIT OR Apache-2.0
//! One pseudonym per name.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use foldhash::fast::RandomState;
use tcp_trace_common::{Address, COMM_LEN};

use crate::{event::Comm, outside::Text};

/// Upper limit of pseudonyms per kind; further names share one.
const LIMIT: usize = 1 << 20;

/// Pseudonyms given so far.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
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
    pub(super) fn pointer(&mut self, address: u64) -> u64 {
        number(&mut self.pointers, address).into()
    }

    pub(super) fn named(&mut self, comm: Comm) -> Comm {
        Comm::from(&*format!("program-{}", number(&mut self.comms, comm)))
    }

    pub(super) fn raw_comm(&mut self, comm: &mut [u8; COMM_LEN]) {
        if comm[0] != 0 {
            let name = self.named(Comm::from_kernel(comm));
            *comm = [0; COMM_LEN];
            comm[..name.len()].copy_from_slice(name.as_bytes());
        }
    }

    pub(super) fn path(&mut self, path: &mut Text) {
        *path = format!("/cgroup-{}", number(&mut self.cgroups, path.clone())).into();
    }

    /// Replaces an address, except those that every machine has.
    pub(super) fn address(&mut self, address: IpAddr) -> IpAddr {
        match address {
            _ if address.is_loopback() || address.is_unspecified() => address,
            IpAddr::V4(v4) => Ipv4Addr::from_bits(0x0a00_0000 + number(&mut self.v4, v4)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits((0xfd << 120) + u128::from(number(&mut self.v6, v6))).into(),
        }
    }

    /// Replaces a raw address; IPv4 is v4-mapped IPv6.
    pub(super) fn raw_address(&mut self, address: Address) -> Address {
        let octets = match self.address(Ipv6Addr::from(address.octets()).to_canonical()) {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Address::new(octets)
    }
}
