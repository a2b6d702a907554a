// SPDX-License-Identifier: MIT OR Apache-2.0
//! TCP's share of the machine's memory, and the memory of a socket before it buffers anything.

use serde::{Deserialize, Serialize};

/// Pages in the buffers of all sockets of the machine, and `net.ipv4.tcp_mem`, which only the initial network namespace
/// shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpMemory {
    /// Taken now.
    pub pages: Option<u64>,
    /// Number of pages from which on the kernel saves memory.
    pub pressure_pages: Option<u64>,
    /// Number of pages from which on the kernel refuses memory.
    pub limit_pages: Option<u64>,
}

impl TcpMemory {
    pub(super) fn new(pages: Option<u64>, tcp_mem: &str) -> Self {
        let mut numbers = tcp_mem.split_whitespace().map(|word| word.parse().ok());
        Self { pages, pressure_pages: numbers.nth(1).flatten(), limit_pages: numbers.next().flatten() }
    }
}

/// Sizes of the kernel's objects, from /proc/slabinfo, which only root may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectBytes {
    /// An IPv4 socket with its inode, its directory entry and its file, as far as these have caches of their own.
    pub socket: Option<u64>,
    /// Bytes of an IPv6 TCP socket.
    pub socket6: Option<u64>,
    /// An IPv4 minisocket in TIME_WAIT.
    pub time_wait: Option<u64>,
    /// An IPv4 connection request in the SYN queue.
    pub request: Option<u64>,
    /// An entry of conntrack's table.
    pub conntrack: Option<u64>,
}

impl ObjectBytes {
    pub(super) fn from_slabinfo(text: &str) -> Self {
        let size = |name: &str| {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
            line.split_whitespace().nth(3)?.parse::<u64>().ok()
        };
        // Caches of equal size may be merged, and then bear another's name: a cost is at least what is found.
        let around: u64 = ["sock_inode_cache", "dentry", "filp"].into_iter().filter_map(size).sum();
        Self {
            socket: size("TCP").map(|bytes| bytes + around),
            socket6: size("TCPv6").map(|bytes| bytes + around),
            time_wait: size("tw_sock_TCP"),
            request: size("request_sock_TCP"),
            conntrack: size("nf_conntrack"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_the_machine() {
        let memory = TcpMemory::new(Some(172), "287898\t383867\t575796\n");
        assert_eq!(memory, TcpMemory { pages: Some(172), pressure_pages: Some(383_867), limit_pages: Some(575_796) });
        assert_eq!(TcpMemory::new(None, ""), TcpMemory::default());
    }

    #[test]
    fn sizes_of_objects() {
        let slabinfo = "slabinfo - version: 2.1\n\
                        # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n\
                        tw_sock_TCPv6          0      0    256   16    1 : tunables    0    0    0\n\
                        tw_sock_TCP            0      0    248   16    1 : tunables    0    0    0\n\
                        TCP                   14     26   2432   13    8 : tunables    0    0    0\n\
                        sock_inode_cache     145    152    832   19    4 : tunables    0    0    0\n\
                        dentry             14000  14000    192   21    1 : tunables    0    0    0\n";
        let bytes = ObjectBytes::from_slabinfo(slabinfo);
        assert_eq!(bytes.socket, Some(2432 + 832 + 192));
        assert_eq!((bytes.socket6, bytes.time_wait, bytes.request), (None, Some(248), None));
    }
}
