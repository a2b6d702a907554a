// SPDX-License-Identifier: MIT OR Apache-2.0
//! How this kernel searches for a port, and its settings: the derivation of ports visited and the fixes depend on them.

use serde::{Deserialize, Serialize};
use tcp_trace_common::port_search::Walk;

use super::btf::{Btf, Returns};
use crate::outside::Text;

/// Properties of `__inet_hash_connect` that differ between kernels, each derived from BTF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRules {
    /// Whether sockets may have a range of their own (IP_LOCAL_PORT_RANGE).
    pub socket_range: bool,
    /// Whether `inet_sk_get_local_port_range` returns bool: with IP_LOCAL_PORT_RANGE set, every port is tried in one
    /// pass.
    pub socket_range_steps_by_one: bool,
    /// Whether `port_offset` is a u64: the start of the search comes from `table_perturb`.
    pub perturb_table: bool,
    /// Whether `__inet_check_established` takes `rcu_lookup`: candidates are first checked without a lock.
    pub rcu_lookup: bool,
    /// Whether `ip_local_port_step_width` exists.
    pub step_width: bool,
    /// Whether a bucket loses the mark of `bind()` when the last explicitly bound socket closes.
    pub heals_buckets: bool,
}

impl SearchRules {
    /// Derives the properties from the running kernel's BTF.
    pub fn from_btf(btf: &Btf<'_>) -> Self {
        let search = btf.function("__inet_hash_connect");
        let socket_range = btf.function("inet_sk_get_local_port_range");
        let check = btf.function("__inet_check_established");
        Self {
            // 91d0b78c5177
            socket_range: socket_range.is_some(),
            // 207184853dbd: void before, when a socket's own range was still searched by parity.
            socket_range_steps_by_one: socket_range.is_some_and(|function| function.returns == Returns::Bool),
            // b2d057560b81: a u32 before, with other tables.
            perturb_table: search.is_some_and(|function| btf.param_size(&function, 2) == Some(8)),
            // 86c2bc293b81
            rcu_lookup: check.is_some_and(|function| function.param_count() > 4),
            // 7da62262ec96
            step_width: btf.field("netns_ipv4", "sysctl_ip_local_port_step_width").is_ok(),
            // d57f4b874946
            heals_buckets: btf.field("inet_bind2_bucket", "fastreuse").is_ok(),
        }
    }

    /// The properties that the derivation of ports visited uses.
    pub fn walk(&self) -> Walk {
        Walk {
            socket_range_steps_by_one: self.socket_range_steps_by_one,
            perturb_table: self.perturb_table,
            seen: true,
        }
    }
}

/// Settings of one network namespace. `None`: could not be read, or this kernel has no such setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctls {
    /// Inode number of the network namespace of the settings.
    pub netns: Option<u32>,
    /// `net.ipv4.ip_local_port_range`, both ends included.
    pub ip_local_port_range: Option<(u16, u16)>,
    /// `net.ipv4.ip_local_reserved_ports`, as the kernel prints it.
    pub ip_local_reserved_ports: Option<Text>,
    /// `net.ipv4.ip_local_port_step_width` (7.1+).
    pub ip_local_port_step_width: Option<u32>,
    /// `net.ipv4.tcp_tw_reuse`: 0 never, 1 always, 2 on loopback.
    pub tcp_tw_reuse: Option<u8>,
    /// `net.ipv4.tcp_tw_reuse_delay` in ms (6.16 and later; 1 s before).
    pub tcp_tw_reuse_delay: Option<u32>,
    /// `net.ipv4.tcp_timestamps`: 0 off.
    pub tcp_timestamps: Option<u8>,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub tcp_max_tw_buckets: Option<u32>,
    /// `net.ipv4.tcp_fin_timeout` in seconds.
    pub tcp_fin_timeout: Option<u32>,
    /// `net.core.somaxconn`: upper limit of every accept queue.
    pub somaxconn: Option<u32>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub tcp_max_syn_backlog: Option<u32>,
    /// `net.ipv4.tcp_syncookies`: 0 never, 1 when a queue is full, 2 always.
    pub tcp_syncookies: Option<u8>,
    /// `net.ipv4.tcp_abort_on_overflow`: 1 resets connections that find the accept queue full.
    pub tcp_abort_on_overflow: Option<u8>,
    /// `net.ipv4.tcp_max_orphans`, for the whole machine.
    pub tcp_max_orphans: Option<u32>,
}
