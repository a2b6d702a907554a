// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys of totals: whether their process has ended, and under which key several are merged.

use std::fs;

use tcp_trace_common::{
    Address,
    bind::{RawBindSite, RawBinder},
    listen::RawListenerKey,
    peer::RawPeer,
};

use super::Key;

/// Totals without a process have no process that could end.
fn has_ended(tgid: u32) -> bool {
    tgid != 0 && fs::metadata(format!("/proc/{tgid}")).is_err()
}

/// Key: inode number of a network namespace.
impl Key for u32 {
    fn has_ended(&self) -> Option<bool> {
        None
    }

    fn of_anybody(&self) -> Self {
        0
    }

    fn of_any(&self) -> Self {
        0
    }

    /// No namespace: totals of several must not appear under one of them.
    fn of_all(&self) -> Self {
        0
    }
}

impl Key for RawListenerKey {
    fn has_ended(&self) -> Option<bool> {
        None
    }

    fn of_anybody(&self) -> Self {
        Self { sk: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        Self { sk: 0, port: 0, saddr: Address::default(), ..*self }
    }
}

impl Key for RawPeer {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, address: Address::default(), port: 0, ..*self }
    }
}

impl Key for RawBinder {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}

impl Key for RawBindSite {
    fn has_ended(&self) -> Option<bool> {
        Some(has_ended(self.tgid))
    }

    fn of_anybody(&self) -> Self {
        Self { tgid: 0, process_start_ns: 0, ..*self }
    }

    /// Addresses of another program have no meaning here.
    fn of_any(&self) -> Self {
        self.of_anybody()
    }
}
