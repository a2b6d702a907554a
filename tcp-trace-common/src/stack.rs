// SPDX-License-Identifier: MIT OR Apache-2.0
//! The caller of a `connect()`, as it stands on its stacks.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::RawHeader;

/// Frames that are kept of the kernel's own stack: its way from the system call to the port search takes about twenty.
pub const KERNEL_FRAMES: usize = 64;
/// Bytes at the top of the user stack that are taken along: most programs have no frame pointers, and what their unwind
/// tables say can be followed only in user space.
pub const USER_BYTES: usize = 8192;

/// Time in ns that one on-CPU sample represents.
pub const ON_CPU_PERIOD_NS: u64 = 1_000_000;

/// The stacks of a thread that is in `connect()`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawStack {
    /// When they were looked at.
    pub header: RawHeader,
    /// [`RawConnect::began_ns`](crate::connect::RawConnect::began_ns): with `tid`, which attempt it is.
    pub began_ns: u64,
    /// User instruction pointer; 0 = the thread has no user side, or none that we can read.
    pub ip: u64,
    /// User stack pointer.
    pub sp: u64,
    /// User frame pointer, or whatever that register is used for.
    pub bp: u64,
    /// Thread group of the caller.
    pub tgid: u32,
    /// Thread of the caller.
    pub tid: u32,
    /// Bytes of `kernel` that hold, or a negative errno.
    pub kernel_bytes: i32,
    /// Bytes of `user` that hold.
    pub user_bytes: u32,
    /// One of [`taken`].
    pub taken: u32,
    /// Explicit padding.
    pub pad: u32,
    /// Kernel addresses, the innermost first.
    pub kernel: [u64; KERNEL_FRAMES],
    /// Memory at `sp`.
    pub user: [u8; USER_BYTES],
}

/// On what occasion.
pub mod taken {
    /// The search for a port begins; once an attempt.
    pub const SEARCH: u32 = 0;
    /// The thread was found on a CPU by the clock, within its attempt.
    pub const ON_CPU: u32 = 1;
}
