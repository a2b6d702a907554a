// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ring buffer, read in place: a record is released once it was shown, and none is copied.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

/// Records per call, a few milliseconds' worth: clocks and signals are handled in between.
const AT_ONCE: usize = 8192;

pub(super) struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
    /// Whether the last call ended before all records were shown.
    more: bool,
}

impl Ring {
    /// Wraps the ring; must be called within a runtime.
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the ring owns its descriptor while it lives, and always returns the same one.
        let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        Ok(Self { ring: registered?, more: false })
    }

    /// Waits until the kernel side signals that much data is waiting. Small amounts are found by reading.
    pub(super) async fn woken(&mut self) -> io::Result<()> {
        if self.more {
            // No wait is needed, but other tasks come first.
            tokio::task::yield_now().await;
            return Ok(());
        }
        // Cleared before reading, so that later records wake the agent again.
        self.ring.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Shows the waiting records one by one; returns whether more are left.
    pub(super) fn read<E>(&mut self, mut show: impl FnMut(&[u8]) -> Result<(), E>) -> Result<bool, E> {
        let ring = self.ring.get_mut();
        self.more = false;
        for _ in 0..AT_ONCE {
            let Some(record) = ring.next() else { return Ok(false) };
            show(&record)?;
        }
        self.more = true;
        Ok(true)
    }
}
