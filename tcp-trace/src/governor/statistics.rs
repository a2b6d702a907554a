// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's run-time statistics of BPF programs, in short windows. The kernel keeps them for every program of the
//! machine, they cost something, and they end with the descriptor that enabled them, however this process ends.
//!
//! They cover the time inside programs. The way into a program (trampoline, breakpoint or ftrace handler) is not
//! included; the calibration includes it.

use std::{os::fd::OwnedFd, time::Duration};

use aya::sys::{Stats, enable_stats};
use tokio::time::Instant;

use crate::{model::accounts::Measured, probes::runs::Runs};

/// Length of a window: enough runs on a busy machine, in a fiftieth of the time.
pub const WINDOW: Duration = Duration::from_millis(20);

/// Counts of the programs at one time.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Time on `CLOCK_MONOTONIC` in ns.
    pub at_ns: u64,
    /// Runs of all programs.
    pub runs: Runs,
    /// Number of attempts so far.
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

/// Whether the kernel provides statistics to this process.
pub fn are_kept() -> bool {
    enable_stats(Stats::RunTime).is_ok()
}

/// Enabled statistics; dropping the value disables them.
#[derive(Debug)]
pub struct Window {
    _on: OwnedFd,
    begin: Reading,
    /// End of the window.
    pub end: Instant,
}

impl Window {
    /// Enables the statistics, then takes `reading`; without a reading there is no window.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN, and before 5.8.
    pub fn open(reading: impl FnOnce() -> Option<Reading>) -> Result<Option<Self>, String> {
        let on = enable_stats(Stats::RunTime).map_err(|error| error.io_error.to_string())?;
        Ok(reading().map(|begin| Self { _on: on, begin, end: Instant::now() + WINDOW }))
    }

    /// Disables the statistics.
    pub fn close(self, reading: impl FnOnce() -> Option<Reading>) -> Option<Measured> {
        Some(reading()?.since(&self.begin))
    }
}
