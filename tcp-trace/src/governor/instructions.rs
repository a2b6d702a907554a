// SPDX-License-Identifier: MIT OR Apache-2.0
//! A hardware counter of the instructions that the kernel executes for this thread.

use std::{
    fs::File,
    io::Read as _,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// `struct perf_event_attr`, first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_COUNT_HW_INSTRUCTIONS: u64 = 1;
const EXCLUDE_USER: u64 = 1 << 4;
const EXCLUDE_HV: u64 = 1 << 6;

/// A counter that counts while it exists.
#[derive(Debug)]
pub struct Instructions(File);

impl Instructions {
    /// A counter for this thread; `None`: unavailable on this machine, or to this process.
    pub fn of_this_thread() -> Option<Self> {
        let attributes = Attributes {
            kind: PERF_TYPE_HARDWARE,
            size: size_of::<Attributes>() as u32,
            config: PERF_COUNT_HW_INSTRUCTIONS,
            flags: EXCLUDE_USER | EXCLUDE_HV,
            ..Attributes::default()
        };
        const FD_CLOEXEC: libc::c_ulong = 8;
        // SAFETY: the kernel reads `size` bytes; 0: this thread, -1: on any CPU, -1: in no group.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, 0, -1, -1, FD_CLOEXEC) };
        if fd < 0 {
            return None;
        }
        // SAFETY: the kernel just returned this descriptor.
        let mut counter = Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }.into());
        // A counter that exists but does not count is that of a virtual machine.
        (counter.read()? > 0).then_some(counter)
    }

    /// Number of instructions so far.
    pub fn read(&mut self) -> Option<u64> {
        let mut value = [0; 8];
        self.0.read_exact(&mut value).ok()?;
        Some(u64::from_ne_bytes(value))
    }
}
