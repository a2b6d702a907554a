// SPDX-License-Identifier: MIT OR Apache-2.0
//! Locked memory: before 5.11 BPF maps and programs count against RLIMIT_MEMLOCK, later they count for the cgroup.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lifts the limit of this process, if permitted.
///
/// # Errors
/// When the limit stays: not fatal in itself, but the likely reason if maps cannot be created afterwards.
pub fn raise() -> Result<(), String> {
    if setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok() {
        return Ok(());
    }
    let Rlimit { maximum, .. } = getrlimit(Resource::Memlock);
    let _ = setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum });
    match maximum {
        None => Ok(()),
        Some(bytes) => {
            Err(format!("locked memory stays limited to {} KiB (lifting it needs CAP_SYS_RESOURCE)", bytes >> 10))
        }
    }
}
