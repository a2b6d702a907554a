// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ring buffer, read where the kernel writes it: a record is given back once it was looked at, and none is copied.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

/// Records in one go, a few milliseconds' worth: clocks and signals are heard in between.
const AT_ONCE: usize = 8192;

pub(super) struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
    /// The last go ended before the records did.
    more: bool,
}

impl Ring {
    /// Within a runtime.
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the ring owns its descriptor for as long as it lives, and always returns the same one.
        let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        Ok(Self { ring: registered?, more: false })
    }

    /// Until the kernel side says that much is waiting; what is little has to be looked for.
    pub(super) async fn woken(&mut self) -> io::Result<()> {
        if self.more {
            // There is no need to wait; but whoever else waits comes first.
            tokio::task::yield_now().await;
            return Ok(());
        }
        // Cleared before anything is read: whatever comes from now on wakes anew.
        self.ring.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Shows the records that wait, one by one; says whether one go was not enough.
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
