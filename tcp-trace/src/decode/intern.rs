// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names as shared strings: a name seen before costs a look-up, not an allocation.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tcp_trace_common::COMM_LEN;

/// Above this many the cache starts anew: names that are still in use come back at once.
const LIMIT: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Names {
    comms: HashMap<[u8; COMM_LEN], Arc<str>>,
    cgroups: HashMap<u64, Arc<str>>,
}

impl Names {
    /// `comm` up to its NUL; bytes that are not UTF-8 are replaced.
    pub(super) fn comm(&mut self, comm: [u8; COMM_LEN]) -> Arc<str> {
        cached(&mut self.comms, comm, || {
            let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
            String::from_utf8_lossy(&comm[..end]).into()
        })
    }

    /// What a cgroup is called until its path is looked up.
    pub(super) fn cgroup(&mut self, id: u64) -> Arc<str> {
        cached(&mut self.cgroups, id, || format!("cgroup:{id}").into())
    }
}

fn cached<K: Eq + Hash>(cache: &mut HashMap<K, Arc<str>>, key: K, name: impl FnOnce() -> Arc<str>) -> Arc<str> {
    if let Some(known) = cache.get(&key) {
        return Arc::clone(known);
    }
    if cache.len() >= LIMIT {
        cache.clear();
    }
    Arc::clone(cache.entry(key).or_insert_with(name))
}
