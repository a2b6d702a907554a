// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bind signal on the tracepoint tier: the system call, of which the port search is nearly all.

use aya_ebpf::{helpers::bpf_get_current_task, macros::tracepoint, programs::TracePointContext};

use super::bind;
use crate::{calls, memory::Untyped, sock};

/// Offsets in the records of syscalls:sys_enter_bind and sys_exit_bind: fixed, `struct syscall_trace_enter`.
const CALL_DESCRIPTOR: usize = 16;
const CALL_ADDRESS: usize = 24;
const CALL_RETURN: usize = 16;
const EADDRINUSE: i32 = -98;

#[tracepoint(category = "syscalls", name = "sys_enter_bind")]
pub fn bind_call_enter_tp(ctx: TracePointContext) -> u32 {
    // SAFETY: within the record of this tracepoint.
    let (Ok(descriptor), Ok(address)) =
        (unsafe { ctx.read_at::<u64>(CALL_DESCRIPTOR) }, unsafe { ctx.read_at::<u64>(CALL_ADDRESS) })
    else {
        return 0;
    };
    // SAFETY: the helper has no precondition.
    let sk = sock::of_descriptor(unsafe { bpf_get_current_task() } as *mut _, descriptor as u32);
    if sk != 0
        && let Some(port) = sock::read_user_port(address)
    {
        bind::entered(Untyped(sk), port);
    }
    0
}

#[tracepoint(category = "syscalls", name = "sys_exit_bind")]
pub fn bind_call_exit_tp(ctx: TracePointContext) -> u32 {
    let Some(call) = calls::current().filter(|call| call.binds == 1) else { return 0 };
    let sk = Untyped(call.sk);
    // SAFETY: within the record of this tracepoint.
    let Ok(ret) = (unsafe { ctx.read_at::<i64>(CALL_RETURN) }) else { return 0 };
    // What else can fail does so before a port is looked for; and without a port none was.
    let searched = ret as i32 == EADDRINUSE || (ret == 0 && sock::local_port(sk) != 0);
    if searched {
        bind::left(&ctx, sk, ret as i32);
    } else {
        calls::forget();
    }
    0
}
