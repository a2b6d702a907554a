// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's run-time statistics of BPF programs, in short windows: they are kept for every program of the machine,
//! cost something themselves, and are switched off with the descriptor that switched them on, however this process ends.
//!
//! They hold the time inside programs. What it takes to get there, the trampoline, the breakpoint or the ftrace handler,
//! is not in them; the calibration has it.

use std::{os::fd::OwnedFd, time::Duration};

use aya::sys::{Stats, enable_stats};
use tokio::time::Instant;

use crate::{model::accounts::Measured, probes::runs::Runs};

/// Long enough to see some runs of a busy machine; a fiftieth of the time.
pub const WINDOW: Duration = Duration::from_millis(20);

/// What the programs had done at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// `CLOCK_MONOTONIC`
    pub at_ns: u64,
    /// Of all programs.
    pub runs: Runs,
    /// Attempts so far.
    pub connects: u64,
}

impl Reading {
    fn since(&self, earlier: &Self) -> Measured {
        let runs = self.runs.since(earlier.runs);
        Measured {
            window_ns: self.at_ns.saturating_sub(earlier.at_ns),
            ns: runs.ns,
            runs: runs.count,
            connects: self.connects.saturating_sub(earlier.connects),
        }
    }
}

/// Whether the kernel keeps statistics for us.
pub fn are_kept() -> bool {
    enable_stats(Stats::RunTime).is_ok()
}

/// Statistics that are on: off when it is dropped.
#[derive(Debug)]
pub struct Window {
    _on: OwnedFd,
    begin: Reading,
    /// When it is over.
    pub end: Instant,
}

impl Window {
    /// Switches them on; `reading` is taken afterwards, and without one there is no window.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN, and before 5.8.
    pub fn open(reading: impl FnOnce() -> Option<Reading>) -> Result<Option<Self>, String> {
        let on = enable_stats(Stats::RunTime).map_err(|error| error.io_error.to_string())?;
        Ok(reading().map(|begin| Self { _on: on, begin, end: Instant::now() + WINDOW }))
    }

    /// Switches them off again.
    pub fn close(self, reading: impl FnOnce() -> Option<Reading>) -> Option<Measured> {
        Some(reading()?.since(&self.begin))
    }
}
