// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection tracking table of a firewall or NAT, if loaded. Each network namespace has its own count towards one
//! limit.

use std::{fs, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Taken;

/// The conntrack table of one network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conntrack {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Number of entries, and `net.netfilter.nf_conntrack_max`.
    pub taken: Taken,
    /// Number of hash chains.
    pub buckets: Option<u64>,
    /// Packets dropped since boot because the table was full.
    pub dropped: Option<u64>,
    /// Entries evicted before their time since boot, to make room.
    pub early_dropped: Option<u64>,
    /// Time in s for which an entry stays after the connection closed.
    pub time_wait_s: Option<u64>,
    /// Time in s for which the entry of an idle connection stays.
    pub established_s: Option<u64>,
}

impl Conntrack {
    /// The table of the calling thread's network namespace; `None` where conntrack is not loaded.
    pub fn of_this_thread(netns: u32) -> Option<Self> {
        let used = sysctl("count")?;
        let [dropped, early_dropped] = statistics(
            &fs::read_to_string("/proc/thread-self/net/stat/nf_conntrack").unwrap_or_default(),
            ["drop", "early_drop"],
        );
        Some(Self {
            netns,
            taken: Taken { used: Some(used), limit: sysctl("max") },
            buckets: sysctl("buckets"),
            dropped,
            early_dropped,
            time_wait_s: sysctl("tcp_timeout_time_wait"),
            established_s: sysctl("tcp_timeout_established"),
        })
    }
}

/// A setting of the calling thread's namespace, from /proc/sys/net.
fn sysctl<T: FromStr>(name: &str) -> Option<T> {
    let text = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{name}")).ok()?;
    text.trim().parse().ok()
}

/// Parses a line of names, followed by a line of hexadecimal numbers for each CPU.
fn statistics<const N: usize>(text: &str, wanted: [&str; N]) -> [Option<u64>; N] {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    wanted.map(|wanted| {
        let column = names.iter().position(|name| *name == wanted)?;
        let numbers = lines.clone().map(|line| u64::from_str_radix(line.split_whitespace().nth(column)?, 16).ok());
        numbers.sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop\n\
                        0000001a  00000000 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000000 0000000a 00000001\n\
                        0000001a  00000000 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000000 000000f6 00000000\n";

    #[test]
    fn sums_over_cpus_in_hexadecimal() {
        assert_eq!(statistics(TEXT, ["drop", "early_drop", "none"]), [Some(256), Some(1), None]);
        assert_eq!(statistics("", ["drop"]), [None]);
    }
}
