// SPDX-License-Identifier: MIT OR Apache-2.0
//! An inventory as a payload: the sockets of all namespaces are one table, in the order of the namespaces.

use std::{num::NonZeroU32, sync::Arc};

use serde::{Deserialize, Serialize};
use tcp_trace_common::bind::RawMark;

use super::{
    bytes::{Bytes, Malformed},
    message::{Tables, head, put_table, take_head},
};
use crate::{
    inventory::{
        Inventory, Space,
        limits::{Conntrack, Limits},
        namespaces::Namespace,
        netstat::NetStat,
        owners::{Owner, Owners},
        socket::Socket,
    },
    kernel::rules::Sysctls,
};

#[derive(Serialize, Deserialize)]
struct Head {
    begin_ns: u64,
    took_ns: u64,
    lists_bound: Option<bool>,
    limits: Option<Limits>,
    #[serde(alias = "lacks")]
    warnings: Vec<String>,
    spaces: Vec<SpaceHead>,
}

#[derive(Serialize, Deserialize)]
struct SpaceHead {
    namespace: Namespace,
    sysctls: Sysctls,
    counters: NetStat,
    conntrack: Option<Conntrack>,
    beyond: u64,
    /// Number of rows of this namespace.
    sockets: usize,
    /// Number of marks of this namespace; `None`: not read.
    marks: Option<usize>,
}

pub fn put(inventory: &Inventory) -> Vec<u8> {
    let Inventory { begin_ns, took_ns, spaces, owners, lists_bound, limits, warnings } = inventory;
    let space_head = |space: &Space| SpaceHead {
        namespace: space.namespace.clone(),
        sysctls: space.sysctls.clone(),
        counters: space.counters.clone(),
        conntrack: space.conntrack,
        beyond: space.beyond,
        sockets: space.sockets.len(),
        marks: space.marks.as_ref().map(Vec::len),
    };
    let mut payload = head(&Head {
        begin_ns: *begin_ns,
        took_ns: *took_ns,
        lists_bound: *lists_bound,
        limits: limits.clone(),
        warnings: warnings.clone(),
        spaces: spaces.iter().map(space_head).collect(),
    });
    put_table(&mut payload, "sockets", spaces.iter().flat_map(|space| &space.sockets));
    put_table(&mut payload, "marks", spaces.iter().flat_map(|space| space.marks.iter().flatten()));
    put_table(&mut payload, "owners", owners.all().iter().map(|owner| &**owner));
    let mut inodes: Vec<_> = owners.inodes().collect();
    // Sorted, because small differences take little space.
    inodes.sort_unstable();
    put_table(&mut payload, "inodes", &inodes);
    payload
}

pub fn take(bytes: &mut Bytes<'_>) -> Result<Inventory, Malformed> {
    let head: Head = take_head(bytes)?;
    let mut tables = Tables::read(bytes)?;
    let mut sockets = tables.rows::<Socket>("sockets")?.into_iter();
    let mut marks = tables.rows::<RawMark>("marks")?.into_iter();
    let owners = tables.rows::<Owner>("owners")?.into_iter().map(Arc::new).collect();
    let inodes: Vec<(NonZeroU32, u32)> = tables.rows("inodes")?;
    let space = |space: SpaceHead| Space {
        namespace: space.namespace,
        sysctls: space.sysctls,
        counters: space.counters,
        conntrack: space.conntrack,
        sockets: sockets.by_ref().take(space.sockets).collect(),
        beyond: space.beyond,
        marks: space.marks.map(|count| marks.by_ref().take(count).collect()),
    };
    Ok(Inventory {
        begin_ns: head.begin_ns,
        took_ns: head.took_ns,
        spaces: head.spaces.into_iter().map(space).collect(),
        owners: Owners::new(owners, inodes),
        lists_bound: head.lists_bound,
        limits: head.limits,
        warnings: head.warnings,
    })
}
