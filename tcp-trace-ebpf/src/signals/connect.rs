// SPDX-License-Identifier: MIT OR Apache-2.0
//! One attempt of `connect()`, edge by edge; the tiers call these.
//!
//! Sequence of a successful one: `begin` -> `search_entered` -> `search_left` -> `call_returned` (kprobe tier) ->
//! `state_changed(ESTABLISHED)` -> `call_ended` (fentry tier; earlier if the call does not wait). The edge that is the end
//! sends the attempt; the others only write down what they saw.

use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_log_ebpf::debug;
use tcp_trace_common::{
    config::stream,
    connect::{RawConnect, ended, flag},
    counters, kind, tcp_state,
};

use super::port_probes;
use crate::{
    attempts,
    detail::Detail,
    emit::{Counters, count, emit, header, now_ns},
    exemplar, filter,
    fold::fold,
    globals::config,
    identity,
    maps::PROBE_EPOCH,
    memory::{Memory, Pointer, zeroed},
    sock,
};

const EINPROGRESS: i32 = -115;
/// `EINTR`, and the kernel's internal values before it decides whether to restart the call.
const EINTR: i32 = -4;
const ERESTARTSYS: i32 = -512;

/// An attempt begins. The caller of `connect()` is the current task; `address` is its destination, in kernel memory.
#[inline(always)]
pub fn begin(context: &impl EbpfContext, sk: impl Pointer, address: u64) {
    let mut place = MaybeUninit::uninit();
    let attempt: &mut RawConnect = zeroed(&mut place);
    attempt.start_ns = now_ns();
    attempt.flags = flag::START;
    // Otherwise the destination is taken from the socket when the search begins: at less cost, but too late for a filter.
    if filter::needs_destination() {
        sock::read_sockaddr(address, attempt);
    }
    insert(context, sk, attempt);
}

/// Whether the attempt passes the filters, and is one of those that are followed.
#[inline(always)]
fn is_followed(attempt: &RawConnect) -> bool {
    let detail = Detail::now();
    if !filter::wanted(attempt) || detail.stopped() {
        return false;
    }
    let follows = detail.follows();
    if !follows {
        count(counters::NOT_FOLLOWED);
    }
    follows
}

/// Fills in caller and destination, and stores the attempt if it is traced.
#[inline(always)]
pub fn insert(context: &impl EbpfContext, sk: impl Pointer, attempt: &mut RawConnect) {
    identity::stamp(attempt);
    sock::read_namespace(sk, attempt);
    if !is_followed(attempt) {
        return;
    }
    if !attempts::remember(sk.address(), attempt) {
        count(counters::ATTEMPTS_FULL);
        debug!(context, "no room for one more attempt");
    }
}

/// proto: int __inet_hash_connect(struct inet_timewait_death_row *, struct sock *, u64 port_offset, ...)
#[inline(always)]
pub fn search_entered(sk: impl Pointer, port_offset: u64) {
    let Some(attempt) = attempts::find(sk.address()) else { return };
    let mut flags = attempt.flags | flag::SEARCH_ENTERED;
    let head = sk.head();
    destination_from_socket(head, attempt);
    attempt.bound_port = sock::local_port(head);
    if attempt.bound_port == 0 {
        attempt.port_offset = port_offset;
        attempt.socket_range = sk.tcp().map_or(0, sock::socket_port_range);
        if let Some(entry) = sock::perturb(port_offset) {
            attempt.perturb_before = entry;
            flags |= flag::PERTURB;
        }
        let epoch = PROBE_EPOCH.get(0).copied().unwrap_or(0);
        if epoch & 1 == 1 && port_probes::search_entered(sk.address()) {
            attempt.probe_epoch = epoch as u8;
            flags |= flag::PROBED;
        }
    }
    attempt.flags = flags;
    attempt.search_start_ns = now_ns();
}

/// What `__inet_hash_connect` returned.
#[inline(always)]
pub fn search_left(sk: impl Pointer, ret: i32) {
    let end_ns = now_ns();
    let Some(attempt) = attempts::find(sk.address()) else { return };
    attempt.search_end_ns = end_ns;
    attempt.search_ret = ret;
    let head = sk.head();
    attempt.sport = sock::local_port(head);
    attempt.saddr = sock::local_address(head, attempt.family);
    if attempt.step_width != 0 {
        attempt.perturb_after = sock::perturb(attempt.port_offset).unwrap_or(0);
    }
    let mut flags = attempt.flags | flag::SEARCH_LEFT;
    if flags & flag::PROBED != 0 {
        let alone = port_probes::search_left(sk.address(), attempt);
        if !alone || PROBE_EPOCH.get(0).copied().unwrap_or(0) as u8 != attempt.probe_epoch {
            flags &= !flag::PROBED;
        }
    }
    attempt.flags = flags;
}

/// Reads the destination, if it is not known yet: the socket has it from before the search on.
#[inline(always)]
fn destination_from_socket(sk: impl Memory, attempt: &mut RawConnect) {
    if attempt.family == 0 {
        (attempt.daddr, attempt.family) = sock::remote_address(sk);
        attempt.dport = sock::remote_port(sk);
    }
}

/// What `tcp_v4_connect`/`tcp_v6_connect` returned: 0 once the SYN is on its way.
#[inline(always)]
pub fn call_returned(sk: impl Pointer, address: u64, ret: i32) {
    let Some(attempt) = attempts::find(sk.address()) else { return };
    if ret == 0 { waiting(sk, attempt) } else { call_failed(sk, attempt, address, ret) }
}

/// What `__inet_stream_connect` returned: it calls those two, and waits for the end unless it was asked not to.
#[inline(always)]
pub fn call_ended(sk: impl Pointer, address: u64, ret: i32) {
    let state = sock::state(sk);
    match ret {
        // The attempt was established and reported already; or TCP_FASTOPEN_CONNECT has not sent anything yet.
        0 if !connecting(state) => {}
        0 | EINPROGRESS | EINTR | ERESTARTSYS => {
            if let Some(attempt) = attempts::find(sk.address()) {
                waiting(sk, attempt);
                if is_interruption(ret) {
                    attempt.flags |= flag::INTERRUPTED;
                }
            }
        }
        // Unless the socket is back at its start it was not this call's attempt: EALREADY, EISCONN.
        _ if state != tcp_state::CLOSE => {}
        _ => {
            if let Some(attempt) = attempts::find(sk.address()) {
                call_failed(sk, attempt, address, ret);
            }
        }
    }
}

/// Handles a call that ended while its attempt continues.
#[inline(always)]
fn waiting(sk: impl Pointer, attempt: &mut RawConnect) {
    attempt.call_ret = 0;
    attempt.flags |= flag::RETURNED;
    if sk.tcp().is_some_and(sock::is_deferred) {
        attempt.flags |= flag::DEFERRED;
    }
}

#[inline(always)]
fn call_failed(sk: impl Pointer, attempt: &mut RawConnect, address: u64, ret: i32) {
    attempt.call_ret = ret;
    attempt.flags |= flag::RETURNED;
    if attempt.family == 0 {
        sock::read_sockaddr(address, attempt);
    }
    finish(sk, attempt, ended::CALL_FAILED);
}

/// Whether `connect()` was interrupted by a signal while it waited.
#[inline(always)]
pub fn is_interruption(ret: i32) -> bool {
    ret == EINTR || ret == ERESTARTSYS
}

/// `connect()` was interrupted by a signal.
#[inline(always)]
pub fn interrupted(sk: impl Pointer) {
    if let Some(attempt) = attempts::find(sk.address()) {
        attempt.flags |= flag::INTERRUPTED;
    }
}

/// TP_PROTO(const struct sock *sk, const int oldstate, const int newstate) of inet_sock_set_state, which fires in
/// tcp_set_state(), before the state is stored. Often in softirq, where the current task is unrelated.
#[inline(always)]
pub fn state_changed(sk: impl Pointer, from: u8, to: u8) {
    // Other sockets get here as well, and a look at the states costs less than to look for them.
    if !connecting(from) || (to != tcp_state::ESTABLISHED && to != tcp_state::CLOSE) {
        return;
    }
    let Some(attempt) = attempts::find(sk.address()) else { return };
    if to == tcp_state::ESTABLISHED {
        finish(sk, attempt, ended::ESTABLISHED);
        return;
    }
    // The caller itself, still in its call, and no error on the socket: the call is failing just now, and its return
    // value, which comes next, says why.
    let failing = attempt.flags & flag::RETURNED == 0 && sock::error(sk) == 0 && attempt.tid == identity::tid();
    if !failing {
        finish(sk, attempt, ended::CLOSED);
    }
}

/// Whether a socket in this state may have an attempt in progress; SYN_RECV in a simultaneous open.
#[inline(always)]
pub fn connecting(state: u8) -> bool {
    state == tcp_state::SYN_SENT || state == tcp_state::SYN_RECV
}

/// TP_PROTO(struct sock *sk) of tcp_destroy_sock, for both families. Ends any attempt whose end was missed.
#[inline(always)]
pub fn destroyed(sk: impl Pointer) {
    if let Some(attempt) = attempts::find(sk.address()) {
        finish(sk, attempt, ended::DESTROYED);
    }
}

/// A connect was denied before TCP saw it; `address` is the destination, in kernel memory.
#[inline(always)]
pub fn denied(sk: impl Pointer, address: u64, ret: i32) {
    if sock::is_tcp(sk) {
        let mut place = MaybeUninit::uninit();
        let attempt: &mut RawConnect = zeroed(&mut place);
        attempt.call_ret = ret;
        sock::read_sockaddr(address, attempt);
        refused_early(sk, attempt);
    }
}

/// Handles an attempt that ended before anything was stored.
#[inline(always)]
pub fn refused_early(sk: impl Pointer, attempt: &mut RawConnect) {
    identity::stamp(attempt);
    attempt.netns = sock::netns(sk);
    if !is_followed(attempt) {
        return;
    }
    attempt.ended_by = ended::DENIED;
    attempt.header = header::<RawConnect>(kind::CONNECT);
    tell(attempt, Detail::now());
}

/// Adds up an attempt that ended, and sends it if each is requested, or if it is an exemplar.
#[inline(always)]
fn tell(attempt: &mut RawConnect, detail: Detail) {
    let Some(counters) = Counters::of_this_cpu() else { return };
    let number = counters.add(counters::CONNECT_MADE, 1);
    let notable = fold(attempt, detail);
    let each = config!(streams) & stream::CONNECT != 0;
    if (each && !detail.folds()) || (detail.has_exemplars() && exemplar::is_one(attempt, number, notable)) {
        emit(attempt, number, detail, counters::CONNECT_RING_FULL);
    } else {
        counters.add(if each { counters::CONNECT_SHED } else { counters::CONNECT_SUMMED }, 1);
    }
}

/// Completes the attempt, sends it and releases its place.
#[inline(always)]
pub fn finish<P: Pointer>(sk: P, attempt: &mut RawConnect, ended_by: u8) {
    let detail = Detail::now();
    if detail.stopped() {
        return;
    }
    let place = attempts::place_of(attempt);
    attempt.header = header::<RawConnect>(kind::CONNECT);
    attempt.ended_by = ended_by;
    if ended_by != ended::ESTABLISHED {
        attempt.sk_err = sock::error(sk);
    }
    let mut flags = attempt.flags;
    destination_from_socket(sk, attempt);
    // It has an address of its own before SYN_SENT.
    if flags & (flag::SEARCH_LEFT | flag::SYN_SENT) == 0 {
        attempt.saddr = sock::local_address(sk, attempt.family);
    }
    if let Some(tcp) = sk.tcp() {
        if flags & flag::SEARCH_LEFT == 0 {
            attempt.sport = sock::bound_local_port(tcp);
        }
        if let Some(retransmits) = sock::total_retransmits(tcp) {
            attempt.syn_retransmits = retransmits;
            flags |= flag::RETRANSMITS;
        }
        if let Some(subflow) = sock::is_mptcp_subflow(tcp) {
            flags |= flag::MPTCP_KNOWN | if subflow { flag::MPTCP } else { 0 };
        }
    }
    let entered = flags & (flag::SEARCH_ENTERED | flag::SEARCH_LEFT) == flag::SEARCH_ENTERED;
    // Programs with types look at the return of connect() itself, which comes after the end of a call that waits.
    let unreturned = !P::TYPED
        && ended_by == ended::ESTABLISHED
        && flags & (flag::RETURNED | flag::SEARCH_ENTERED) == flag::SEARCH_ENTERED;
    if entered || unreturned {
        flags |= flag::GAP;
        count(counters::RETURN_MISSED);
    }
    attempt.flags = flags;
    tell(attempt, detail);
    attempts::forget(place);
}
