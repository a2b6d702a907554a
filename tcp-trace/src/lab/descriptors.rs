// SPDX-License-Identifier: MIT OR Apache-2.0
//! Room for tens of thousands of file descriptors, whatever the limit of one table is.

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::UnshareFlags,
};

/// Descriptors left free in each table, for those that exist already and those that come and go.
const SLACK: u64 = 64;

/// Raises the soft limit to the hard one; returns how many held descriptors fit into one table.
pub(super) fn room_per_table() -> anyhow::Result<u32> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    let room = most.saturating_sub(SLACK);
    anyhow::ensure!(room > 0, "the limit of {most} open files leaves no room for an incident; try: ulimit -n 4096");
    Ok(u32::try_from(room).unwrap_or(u32::MAX))
}

/// Gives the calling thread a descriptor table of its own, with a limit of its own.
pub(super) fn own_table() -> rustix::io::Result<()> {
    // SAFETY: called first in a thread that takes no descriptor from another thread and passes none on.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }
}
