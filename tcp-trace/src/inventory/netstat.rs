// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counters of a network namespace, by the kernel's names.

use std::fs;

use serde::{Deserialize, Serialize};

/// Content of `/proc/net/{netstat,snmp,sockstat}`. A counter that the kernel lacks is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetStat {
    netstat: String,
    snmp: String,
    sockstat: String,
}

impl NetStat {
    /// Reads the counters of the calling thread's network namespace.
    pub fn read() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        Self::new(read("netstat"), read("snmp"), read("sockstat"))
    }

    /// Parses the content of these files.
    pub fn new(netstat: String, snmp: String, sockstat: String) -> Self {
        Self { netstat, snmp, sockstat }
    }

    /// A counter of `TcpExt` in netstat: `ListenOverflows`, `TCPTimeWaitOverflow`.
    pub fn tcp_ext(&self, name: &str) -> Option<u64> {
        column(&self.netstat, "TcpExt:", name)
    }

    /// A counter of `Tcp` in snmp: `CurrEstab`, `AttemptFails`.
    pub fn tcp(&self, name: &str) -> Option<u64> {
        column(&self.snmp, "Tcp:", name)
    }

    /// A value of a line in sockstat: `sockstat("TCP:", "orphan")`. Values in pages are of the whole machine.
    pub fn sockstat(&self, line: &str, name: &str) -> Option<u64> {
        let mut words = self.sockstat.lines().find_map(|text| text.strip_prefix(line))?.split_ascii_whitespace();
        words.find(|word| *word == name)?;
        words.next()?.parse().ok()
    }
}

/// Finds a value in pairs of lines: names, and values.
fn column(text: &str, prefix: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
    let (names, values) = (lines.next()?, lines.next()?);
    let place = names.split_ascii_whitespace().position(|column| column == name)?;
    values.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        let counters = NetStat::new(
            "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 0 12\nIpExt: InNoRoutes\nIpExt: 3\n".into(),
            "Tcp: MaxConn CurrEstab\nTcp: -1 8\n".into(),
            "sockets: used 5\nTCP: inuse 2 orphan 1 tw 41 alloc 3 mem 1\n".into(),
        );
        assert_eq!((counters.tcp_ext("ListenOverflows"), counters.tcp_ext("TCPReqQFullDrop")), (Some(12), None));
        assert_eq!((counters.tcp("CurrEstab"), counters.tcp("MaxConn")), (Some(8), None));
        assert_eq!((counters.sockstat("TCP:", "tw"), counters.sockstat("TCP6:", "inuse")), (Some(41), None));
        assert_eq!(NetStat::default().tcp_ext("ListenOverflows"), None);
    }
}
