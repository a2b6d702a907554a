// SPDX-License-Identifier: MIT OR Apache-2.0
//! Configuration from the command line, set as a read-only global before loading: the verifier removes code that is
//! switched off.

use crate::COMM_LEN;

/// Filters and switches. A filter is off where its bit in [`filter`] is clear.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// cgroup v2 id.
    pub cgroup_id: u64,
    /// Kernel address of the pointer `table_perturb`, 0 = not known.
    pub table_perturb: u64,
    /// Number of sets in `ATTEMPT_SETS`, less one.
    pub attempt_sets_mask: u32,
    /// One of this many events on one CPU, minus one, checks how much data is waiting: a power of two, minus one.
    pub wake_mask: u32,
    /// Remote address and mask, two halves each, as native words of the network-order bytes.
    pub daddr: [u64; 2],
    /// See `daddr`.
    pub daddr_mask: [u64; 2],
    /// `INET_TABLE_PERTURB_SIZE - 1`.
    pub table_perturb_mask: u32,
    /// Bits of [`filter`].
    pub filters: u32,
    /// Thread group.
    pub tgid: u32,
    /// User.
    pub uid: u32,
    /// Inode of a network namespace.
    pub netns: u32,
    /// Thread group of the agent, whose own connects are not traced.
    pub agent_tgid: u32,
    /// Bytes waiting in the ring buffer from which on the agent is woken at once rather than at its next tick.
    pub wake_bytes: u32,
    /// Number of shards of a row, less one: see [`RawRowKey::shard`](crate::connect_rows::RawRowKey::shard).
    pub shard_mask: u32,
    /// One attempt in two to this power is an exemplar.
    pub exemplar_one_in_log2: u32,
    /// Upper limit of exemplars per CPU and second.
    pub exemplars: u32,
    /// Bits of [`set_state`](crate::set_state): the requested signals that need changes of state.
    pub set_state: u32,
    /// Address family.
    pub family: u16,
    /// Remote port.
    pub dport: u16,
    /// Bits of [`stream`]: signals whose events are sent; totals are kept in any case.
    pub streams: u16,
    /// [`Walk::seen`](crate::port_search::Walk::seen), 0 or 1.
    pub searches_seen: u16,
    /// [`Walk::socket_range_steps_by_one`](crate::port_search::Walk::socket_range_steps_by_one), 0 or 1.
    pub socket_range_steps_by_one: u16,
    /// [`Walk::perturb_table`](crate::port_search::Walk::perturb_table), 0 or 1.
    pub perturb_table: u16,
    /// Name of the calling thread.
    pub comm: [u8; COMM_LEN],
}

impl Config {
    /// No filters, nothing known.
    pub const EMPTY: Self = Self {
        cgroup_id: 0,
        table_perturb: 0,
        attempt_sets_mask: 0,
        wake_mask: 0,
        daddr: [0; 2],
        daddr_mask: [0; 2],
        table_perturb_mask: 0xffff,
        filters: 0,
        tgid: 0,
        uid: 0,
        netns: 0,
        agent_tgid: 0,
        wake_bytes: 0,
        shard_mask: 0,
        exemplar_one_in_log2: 6,
        exemplars: 32,
        set_state: 0,
        family: 0,
        dport: 0,
        streams: 0,
        searches_seen: 1,
        socket_range_steps_by_one: 0,
        perturb_table: 0,
        comm: [0; COMM_LEN],
    };
}

/// Bits of the filters in force.
pub mod filter {
    #![expect(missing_docs, reason = "one bit for each field of Config")]
    pub const TGID: u32 = 1 << 0;
    pub const UID: u32 = 1 << 1;
    pub const COMM: u32 = 1 << 2;
    pub const CGROUP: u32 = 1 << 3;
    pub const NETNS: u32 = 1 << 4;
    pub const FAMILY: u32 = 1 << 5;
    pub const DPORT: u32 = 1 << 6;
    pub const DADDR: u32 = 1 << 7;
}

/// Signals whose events are sent.
pub mod stream {
    #![expect(missing_docs, reason = "one bit for each signal that has a choice")]
    pub const TIME_WAIT: u16 = 1 << 0;
    pub const BIND: u16 = 1 << 1;
    pub const LISTEN: u16 = 1 << 2;
    pub const STATE: u16 = 1 << 3;
    /// An event of each attempt, not only of exemplars.
    pub const CONNECT: u16 = 1 << 4;
    /// All signals with events.
    pub const EACH: u16 = TIME_WAIT | BIND | LISTEN | STATE | CONNECT;
    /// No events: the process that closed first is remembered, and TIME_WAIT is added up by owner. `TIME_WAIT` implies
    /// it.
    pub const TIME_WAIT_OWNERS: u16 = 1 << 8;
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding.
    unsafe impl aya::Pod for super::Config {}
}
