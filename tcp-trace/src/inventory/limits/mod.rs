// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits that connections hit besides ports: file descriptors, memory, conntrack. What cannot be read is `None`.

use serde::{Deserialize, Serialize};

mod conntrack;
mod descriptors;
mod memory;

pub use self::{
    conntrack::Conntrack,
    descriptors::{Descriptors, Processes},
    memory::{ObjectBytes, TcpMemory},
};

use super::netstat::NetStat;
use crate::kernel::Roots;

/// Usage of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Present usage.
    pub used: Option<u64>,
    /// The limit.
    pub limit: Option<u64>,
}

impl Taken {
    /// Usage as a fraction of the limit; `None` unless both are known.
    pub fn share(self) -> Option<f64> {
        let limit = self.limit.filter(|limit| *limit > 0)?;
        Some(self.used? as f64 / limit as f64)
    }
}

/// All limits and their present usage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// File descriptors of processes.
    pub processes: Processes,
    /// Open files of the machine (`fs.file-max`).
    pub files: Taken,
    /// Upper limit for the descriptor limit of any process (`fs.nr_open`).
    pub nr_open: Option<u64>,
    /// Orphaned sockets that still send or wait (`net.ipv4.tcp_max_orphans`).
    pub orphans: Taken,
    /// Memory of all sockets' buffers.
    pub tcp_memory: TcpMemory,
    /// Memory of one socket before it buffers anything.
    pub object_bytes: ObjectBytes,
    /// Connection tracking tables, by network namespace; empty where conntrack is not loaded.
    pub conntrack: Vec<Conntrack>,
}

impl Limits {
    /// Reads all limits except `conntrack`, which is read within each namespace.
    pub fn survey(roots: &Roots) -> Self {
        let counters = NetStat::read();
        Self {
            processes: Processes::survey(roots),
            files: files(&roots.proc_text("sys/fs/file-nr").unwrap_or_default()),
            nr_open: roots.sysctl("fs/nr_open"),
            orphans: Taken {
                used: counters.sockstat("TCP:", "orphan"),
                limit: roots.sysctl("net/ipv4/tcp_max_orphans"),
            },
            tcp_memory: TcpMemory::new(
                counters.sockstat("TCP:", "mem"),
                &roots.proc_text("sys/net/ipv4/tcp_mem").unwrap_or_default(),
            ),
            object_bytes: ObjectBytes::from_slabinfo(&roots.proc_text("slabinfo").unwrap_or_default()),
            conntrack: Vec::new(),
        }
    }
}

/// Parses `fs.file-nr`: allocated, 0, maximum. The kernel sums its count over CPUs with some delay.
fn files(text: &str) -> Taken {
    let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
    Taken { used: numbers.next().flatten(), limit: numbers.nth(1).flatten() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_machine() {
        let taken = files("581\t0\t2466170\n");
        assert_eq!((taken.used, taken.limit), (Some(581), Some(2_466_170)));
        assert_eq!(files(""), Taken::default());
    }

    #[test]
    fn a_share_of_nothing_is_not_known() {
        assert_eq!(Taken { used: Some(1), limit: Some(0) }.share(), None);
        assert_eq!(Taken { used: Some(3), limit: Some(4) }.share(), Some(0.75));
    }
}
