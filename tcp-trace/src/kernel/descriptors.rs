// SPDX-License-Identifier: MIT OR Apache-2.0
//! File descriptors of this process: every program, map and network namespace uses one.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Failure, Tried};

/// Number of descriptors needed beyond those that are open once everything is attached: for /proc, sockets and
/// namespaces.
const NEEDED: u64 = 16;

/// Raises the soft limit to the hard limit.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // `ensure_room` reports a limit that stays too low.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Makes sure that no counter reads as zero because it could not be opened.
///
/// # Errors
/// When too few descriptors are left for a run.
pub fn ensure_room() -> Result<(), Failure> {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let open = fs::read_dir("/proc/self/fd").map(|open| open.count() as u64);
    let why = match open {
        Ok(open) if open + NEEDED <= limit => return Ok(()),
        Ok(open) => format!("{open} of {limit} are open (ulimit -n)"),
        // Without /proc the number is unknown; EMFILE still shows that no descriptor is left.
        Err(error) if error.raw_os_error() != Some(libc::EMFILE) => return Ok(()),
        Err(_) => format!("all {limit} are in use (ulimit -n)"),
    };
    Err(Failure::Failed {
        headline: "not enough file descriptors to read counters".into(),
        tried: vec![Tried::new("descriptors", why)],
        try_next: vec!["ulimit -n 1024".into()],
    })
}
