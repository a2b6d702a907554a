// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers with which the current task entered the kernel, at the far end of its kernel stack, on x86_64.
//!
//! There is a helper from 5.15 on; this works on all kernels, and detects an invalid address.

use aya_ebpf::helpers::bpf_get_current_task;

use crate::{
    globals::offset,
    memory::{Memory as _, Pointer as _, Untyped},
};

/// `THREAD_SIZE`, without KASAN.
const STACK_BYTES: u64 = 4 << 12;
/// `struct pt_regs`, which ends at the end of the stack: its size, and what is where.
const BYTES: u64 = 168;
const BP: u16 = 32;
const IP: u16 = 128;
const CS: u16 = 136;
const SP: u16 = 152;
/// `__USER_CS`: the selector of 64-bit user code.
const USER_CODE: u64 = 0x33;
/// `TOP_OF_KERNEL_STACK_PADDING`: none, or what FRED leaves free (6.9 and later, where it is built in).
const PADDINGS: [u64; 2] = [0, 16];

/// User registers of the current task.
pub struct User {
    pub ip: u64,
    pub sp: u64,
    pub bp: u64,
}

/// The registers; `None`: a kernel thread, a 32-bit program, or a stack of another size.
#[inline(always)]
pub fn user() -> Option<User> {
    // SAFETY: the helper has no precondition.
    let task = Untyped(unsafe { bpf_get_current_task() });
    let stack = task.follow(offset!(task_stack))?;
    for padding in PADDINGS {
        let registers = Untyped(stack.0 + STACK_BYTES - padding - BYTES);
        // FRED keeps flags of its own above the selector.
        if registers.read::<u64>(CS)? & 0xffff == USER_CODE {
            return Some(User { ip: registers.read(IP)?, sp: registers.read(SP)?, bp: registers.read(BP)? });
        }
    }
    None
}
