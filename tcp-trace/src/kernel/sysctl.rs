// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings of the calling thread's network namespace: `/proc/sys/net` shows each thread its own.

use std::{fs, os::unix::fs::MetadataExt as _, str::FromStr};

use super::{Roots, rules::Sysctls};
use crate::outside::Text;

impl Roots {
    /// A setting with one value; `None` if it cannot be read or parsed.
    pub(crate) fn sysctl<T: FromStr>(&self, path: &str) -> Option<T> {
        self.sysctl_text(path)?.parse().ok()
    }

    fn sysctl_text(&self, path: &str) -> Option<String> {
        Some(self.proc_text(&format!("sys/{path}"))?.trim().to_owned())
    }

    /// Content of a file of procfs; `None` if it cannot be read.
    pub(crate) fn proc_text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.proc.join(path)).ok()
    }
}

impl Sysctls {
    /// Reads all settings.
    pub fn survey(roots: &Roots) -> Self {
        let range = roots.sysctl_text("net/ipv4/ip_local_port_range");
        Self {
            netns: fs::metadata(roots.proc.join("thread-self/ns/net"))
                .ok()
                .and_then(|file| u32::try_from(file.ino()).ok()),
            ip_local_port_range: range.and_then(|text| {
                let (low, high) = text.split_once(char::is_whitespace)?;
                Some((low.parse().ok()?, high.trim().parse().ok()?))
            }),
            ip_local_reserved_ports: roots.sysctl_text("net/ipv4/ip_local_reserved_ports").map(Text::from),
            ip_local_port_step_width: roots.sysctl("net/ipv4/ip_local_port_step_width"),
            tcp_tw_reuse: roots.sysctl("net/ipv4/tcp_tw_reuse"),
            tcp_tw_reuse_delay: roots.sysctl("net/ipv4/tcp_tw_reuse_delay"),
            tcp_timestamps: roots.sysctl("net/ipv4/tcp_timestamps"),
            tcp_max_tw_buckets: roots.sysctl("net/ipv4/tcp_max_tw_buckets"),
            tcp_fin_timeout: roots.sysctl("net/ipv4/tcp_fin_timeout"),
            somaxconn: roots.sysctl("net/core/somaxconn"),
            tcp_max_syn_backlog: roots.sysctl("net/ipv4/tcp_max_syn_backlog"),
            tcp_syncookies: roots.sysctl("net/ipv4/tcp_syncookies"),
            tcp_abort_on_overflow: roots.sysctl("net/ipv4/tcp_abort_on_overflow"),
            tcp_max_orphans: roots.sysctl("net/ipv4/tcp_max_orphans"),
        }
    }
}
