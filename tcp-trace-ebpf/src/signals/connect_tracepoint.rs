// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connect signal on the tracepoint tier: no port search, but every outcome.
//!
//! inet_sock_set_state shows the handshake and failed searches; the two system call tracepoints, where they can be
//! attached, add the errno and the attempts that never reached SYN_SENT.

use core::mem::MaybeUninit;

use aya_ebpf::{
    helpers::bpf_get_current_task,
    macros::{raw_tracepoint, tracepoint},
    programs::{RawTracePointContext, TracePointContext},
};
use tcp_trace_common::{
    connect::{RawConnect, ended, flag},
    tcp_state,
};

use super::connect;
use crate::{
    attempts, calls,
    emit::now_ns,
    maps::Call,
    memory::{Pointer as _, Untyped, zeroed},
    sock,
};

const EALREADY: i32 = -114;
const EISCONN: i32 = -106;
const EINPROGRESS: i32 = -115;

/// Offsets in the records of syscalls:sys_enter_connect and sys_exit_connect: fixed, `struct syscall_trace_enter`.
const CALL_DESCRIPTOR: usize = 16;
const CALL_ADDRESS: usize = 24;
const CALL_RETURN: usize = 16;

/// Called by `set_state`.
#[inline(always)]
pub fn state_changed(ctx: &RawTracePointContext) {
    let (sk, old_state, new_state): (_, u8, u8) = (Untyped(ctx.arg(0)), ctx.arg(1), ctx.arg(2));
    match new_state {
        tcp_state::SYN_SENT if sock::is_tcp(sk) => syn_sent(ctx, sk),
        tcp_state::ESTABLISHED if connect::connecting(old_state) => {
            if let Some(attempt) = attempts::find(sk.0) {
                connect::finish(sk, attempt, ended::ESTABLISHED);
            }
        }
        tcp_state::CLOSE if connect::connecting(old_state) => closed(sk),
        _ => {}
    }
}

/// An attempt enters SYN_SENT, always in the context of the caller: tcp_v4_connect and tcp_v6_connect set this state
/// before they search a port.
///
/// A function of its own, with a stack of its own: the end of an attempt has none to spare.
#[inline(never)]
fn syn_sent(ctx: &RawTracePointContext, sk: Untyped) {
    let mut place = MaybeUninit::uninit();
    let attempt: &mut RawConnect = zeroed(&mut place);
    attempt.flags = flag::SYN_SENT;
    attempt.search_start_ns = now_ns();
    let head = sk.head();
    (attempt.daddr, attempt.family) = sock::remote_address(head);
    attempt.dport = sock::remote_port(head);
    attempt.bound_port = sock::local_port(head);
    attempt.saddr = sock::local_address(head, attempt.family);
    attempt.socket_range = sock::socket_port_range(sk);
    // The socket of the call, or the subflow that it is made of.
    if let Some(call) = calls::current()
        && call.binds == 0
    {
        call.sk = sk.0;
        call.syn_sent = 1;
        attempt.start_ns = call.start_ns;
        attempt.flags |= flag::START;
    }
    connect::insert(ctx, sk, attempt);
}

#[inline(always)]
fn closed(sk: Untyped) {
    let Some(attempt) = attempts::find(sk.0) else { return };
    // No error and the caller still in its connect(): the call is failing, its return value will say with what.
    let failing = sock::error(sk) == 0 && calls::current().is_some_and(|call| call.sk == sk.0 && call.syn_sent == 1);
    if failing {
        attempt.sport = sock::bound_local_port(sk);
        attempt.flags |= flag::RETURNED;
    } else {
        connect::finish(sk, attempt, ended::CLOSED);
    }
}

/// TP_PROTO(struct sock *sk)
#[raw_tracepoint(tracepoint = "tcp_destroy_sock")]
pub fn connect_destroy_tp(ctx: RawTracePointContext) -> i32 {
    connect::destroyed(Untyped(ctx.arg(0)));
    0
}

#[tracepoint(category = "syscalls", name = "sys_enter_connect")]
pub fn connect_call_enter_tp(ctx: TracePointContext) -> u32 {
    // SAFETY: within the record of this tracepoint.
    let (Ok(descriptor), Ok(address)) =
        (unsafe { ctx.read_at::<u64>(CALL_DESCRIPTOR) }, unsafe { ctx.read_at::<u64>(CALL_ADDRESS) })
    else {
        return 0;
    };
    // Later changes show which socket it is: looking it up would cost more than everything that follows.
    calls::remember(Call {
        start_ns: now_ns(),
        sk: 0,
        address,
        descriptor: descriptor as u32,
        syn_sent: 0,
        tid: 0,
        binds: 0,
    });
    0
}

#[tracepoint(category = "syscalls", name = "sys_exit_connect")]
pub fn connect_call_exit_tp(ctx: TracePointContext) -> u32 {
    let Some(call) = calls::current().filter(|call| call.binds == 0) else { return 0 };
    let call = *call;
    calls::forget();
    // SAFETY: within the record of this tracepoint.
    let Ok(ret) = (unsafe { ctx.read_at::<i64>(CALL_RETURN) }) else { return 0 };
    match ret as i32 {
        0 | EINPROGRESS | EALREADY | EISCONN => {}
        ret if call.syn_sent == 0 => nothing_sent(&call, ret),
        ret if connect::is_interruption(ret) => connect::interrupted(Untyped(call.sk)),
        ret => {
            if let Some(attempt) = attempts::find(call.sk)
                && attempt.flags & flag::RETURNED != 0
            {
                attempt.call_ret = ret;
                connect::finish(Untyped(call.sk), attempt, ended::CALL_FAILED);
            }
        }
    }
    0
}

/// Handles a call during which no SYN was sent: it failed before that, or it was about an older attempt.
#[inline(always)]
fn nothing_sent(call: &Call, ret: i32) {
    // SAFETY: the helper has no precondition.
    let sk = Untyped(sock::of_descriptor(unsafe { bpf_get_current_task() } as *mut _, call.descriptor));
    if sk.0 == 0 || !sock::is_tcp(sk) {
        return;
    }
    if connect::is_interruption(ret) {
        connect::interrupted(sk);
        return;
    }
    // What an older attempt leaves behind is the port that it had, and no hold on it.
    let head = sk.head();
    let older = sock::bound_local_port(sk) != 0 && sock::local_port(head) == 0;
    if sock::state(head) == tcp_state::CLOSE && !older {
        never_sent(call, sk, ret);
    }
}

/// Handles a call that failed before SYN_SENT: no route, or denied. It is treated as a denial, because there is no
/// socket state to store.
#[inline(always)]
fn never_sent(call: &Call, sk: Untyped, ret: i32) {
    let mut place = MaybeUninit::uninit();
    let attempt: &mut RawConnect = zeroed(&mut place);
    attempt.start_ns = call.start_ns;
    attempt.flags = flag::START;
    attempt.call_ret = ret;
    if sock::read_user_sockaddr(call.address, attempt).is_some() {
        connect::refused_early(sk, attempt);
    }
}
