// SPDX-License-Identifier: MIT OR Apache-2.0
//! File descriptors of this process: every program, map and network namespace takes one.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Failure, Tried};

/// As many are needed besides those that are open once everything is attached: for /proc, sockets and namespaces.
const NEEDED: u64 = 16;

/// Raises the soft limit to what the administrator allows.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // What stays too low is told by `ensure_room`.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Makes sure that nothing will read as zero only because it could not be opened.
///
/// # Errors
/// When there is no room for what a run opens.
pub fn ensure_room() -> Result<(), Failure> {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let open = fs::read_dir("/proc/self/fd").map(|open| open.count() as u64);
    let why = match open {
        Ok(open) if open + NEEDED <= limit => return Ok(()),
        Ok(open) => format!("{open} of {limit} are open (ulimit -n)"),
        // Without /proc nothing is known; that there is none left is.
        Err(error) if error.raw_os_error() != Some(libc::EMFILE) => return Ok(()),
        Err(_) => format!("all {limit} are in use (ulimit -n)"),
    };
    Err(Failure::Failed {
        headline: "not enough file descriptors to read counters".into(),
        tried: vec![Tried::new("descriptors", why)],
        try_next: vec!["ulimit -n 1024".into()],
    })
}
