// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system's allocator, with counts of allocations.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Allocations and their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Allocated {
    pub times: u64,
    pub bytes: u64,
}

/// So far.
pub fn allocated() -> Allocated {
    Allocated { times: ALLOCATIONS.load(Relaxed), bytes: BYTES.load(Relaxed) }
}

impl Allocated {
    pub fn since(self, before: Self) -> Self {
        Self { times: self.times - before.times, bytes: self.bytes - before.bytes }
    }
}

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of its own but two atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: what the caller vouches for is what is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: what the caller vouches for is what is asked for.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: what the caller vouches for is what is asked for.
        unsafe { System.realloc(at, layout, size) }
    }
}
