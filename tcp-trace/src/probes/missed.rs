// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of kprobes and kretprobes that the kernel did not run: no free instance for a return, or a kprobe within a
//! kprobe.

use std::{fs, os::fd::RawFd};

use super::object_info;

/// Words of `struct bpf_link_info` of a perf event: the type is in the first word, the kind of event in the third,
/// `missed` in the seventh (6.7).
const WORDS: usize = 7;
const BPF_LINK_TYPE_PERF_EVENT: u64 = 7;
const BPF_PERF_EVENT_KPROBE: u64 = 3;
const BPF_PERF_EVENT_KRETPROBE: u64 = 4;

/// The kprobes of this process that are attached through links.
#[derive(Debug, Default)]
pub struct Kprobes(Vec<RawFd>);

impl Kprobes {
    /// The kprobes that are attached now; they must stay attached.
    pub fn attached() -> Self {
        let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return Self::default() };
        let is_link = |path: &std::path::Path| {
            fs::read_link(path)
                .is_ok_and(|target| matches!(target.to_str(), Some("anon_inode:bpf_link" | "anon_inode:bpf-link")))
        };
        let links = descriptors.flatten().filter(|entry| is_link(&entry.path()));
        let numbers = links.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self(numbers.filter(|fd| is_kprobe(*fd)).collect())
    }

    /// Total of runs that the kernel did not make; `None` if there are no kprobes, or the kernel does not count.
    pub fn missed(&self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.iter().map(|fd| object_info::words::<WORDS>(*fd, WORDS).map(|info| info[6])).sum()
    }
}

fn is_kprobe(fd: RawFd) -> bool {
    let Some(info) = object_info::words::<WORDS>(fd, 3) else { return false };
    // The lower half: the upper half is the link's id, and padding.
    let (link, event) = (info[0] & 0xffff_ffff, info[2] & 0xffff_ffff);
    link == BPF_LINK_TYPE_PERF_EVENT && matches!(event, BPF_PERF_EVENT_KPROBE | BPF_PERF_EVENT_KRETPROBE)
}
