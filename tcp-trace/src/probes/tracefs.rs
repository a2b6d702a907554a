// SPDX-License-Identifier: MIT OR Apache-2.0
//! Access to tracefs for tracepoint ids, without changing the system: if none is mounted, a thread creates a mount
//! namespace and mounts one there, which disappears with the thread.

use std::{io, path::Path, thread};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

const TRACEFS: &str = "/sys/kernel/tracing";

/// Runs `work` in a thread that can read tracepoint ids.
pub fn with<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if Path::new(TRACEFS).join("events").is_dir() {
        return Ok(work());
    }
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            mount_privately()?;
            Ok(work())
        });
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts tracefs panicked")))
    })
}

fn mount_privately() -> io::Result<()> {
    // SAFETY: this thread shares its file system context with others; CLONE_NEWNS gives it one of its own, and no
    // descriptor table is touched.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("tracefs", TRACEFS, "tracefs", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC, None)?;
    Ok(())
}
