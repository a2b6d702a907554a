// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's run-time statistics of BPF programs, in short windows: they are kept for every program of the machine,
//! cost something themselves, and are switched off with the descriptor that switched them on, however this process ends.
//!
//! They hold the time inside programs. What it takes to get there, the trampoline, the breakpoint or the ftrace handler,
//! is not in them; the calibration has it.

use serde::{Deserialize, Serialize};

use std::{os::fd::OwnedFd, time::Duration};

use aya::sys::{Stats, enable_stats};
use tokio::time::Instant;

use crate::probes::runs::Runs;

/// Long enough to see some runs of a busy machine; a fiftieth of the time.
pub const WINDOW: Duration = Duration::from_millis(20);

/// What was measured in windows, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Length of the windows.
    pub window_ns: u64,
    /// Time in the programs, all CPUs together.
    pub ns: u64,
    /// Runs of programs.
    pub runs: u64,
    /// Attempts that ended, or were seen and not followed.
    pub connects: u64,
}

impl Measured {
    /// Of one CPU; `None` until a program really ran in a window.
    pub fn share(&self) -> Option<f64> {
        (self.runs > 0 && self.window_ns > 0).then(|| self.ns as f64 / self.window_ns as f64)
    }

    /// `None` until an attempt ended in a window.
    pub fn ns_per_connect(&self) -> Option<u64> {
        self.ns.checked_div(self.connects)
    }

    /// This and another.
    pub fn plus(self, other: Self) -> Self {
        Self {
            window_ns: self.window_ns + other.window_ns,
            ns: self.ns + other.ns,
            runs: self.runs + other.runs,
            connects: self.connects + other.connects,
        }
    }

    /// What came after `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            window_ns: self.window_ns - earlier.window_ns,
            ns: self.ns - earlier.ns,
            runs: self.runs - earlier.runs,
            connects: self.connects - earlier.connects,
        }
    }
}

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

/// CPUs of this machine.
pub fn cpus() -> u32 {
    aya::util::nr_cpus().map_or(1, |cpus| cpus as u32)
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
