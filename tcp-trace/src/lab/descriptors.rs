// SPDX-License-Identifier: MIT OR Apache-2.0
//! Room for tens of thousands of descriptors, whatever the limit of one table is.

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::UnshareFlags,
};

/// Left free in each table for what is there already and what comes and goes.
const SLACK: u64 = 64;

/// Raises the soft limit to the hard one and says how many held descriptors fit into one table.
pub(super) fn room_per_table() -> anyhow::Result<u32> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    let room = most.saturating_sub(SLACK);
    anyhow::ensure!(
        room > 0,
        "the limit of open files is {most}, which leaves no room for an incident; try: ulimit -n 4096"
    );
    Ok(u32::try_from(room).unwrap_or(u32::MAX))
}

/// Gives the calling thread a table of its own, with a limit of its own.
pub(super) fn own_table() -> rustix::io::Result<()> {
    // SAFETY: called first thing in a thread that takes no descriptor from another thread and hands none out.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }
}
