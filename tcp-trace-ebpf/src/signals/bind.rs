// SPDX-License-Identifier: MIT OR Apache-2.0
//! `bind()` and what happens to its sockets; the tiers call these functions.
//!
//! `inet_csk_get_port` finds or refuses a port. It is called for `listen()` too, with the socket in LISTEN already, and
//! not at all for a `bind()` to port 0 with IP_BIND_ADDRESS_NO_PORT, which chooses no port.

use core::mem::MaybeUninit;

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_stack};
use tcp_trace_common::{
    bind::{A_PORT, ANY_PORT, Bound, FRAMES, RawBind, RawBindCounts, RawBindSite, RawBindTotals, RawBinder},
    config::stream,
    counters, kind, tcp_state,
};

use crate::{
    calls,
    detail::Detail,
    emit::{count, header, now_ns, send},
    filter::{self, Subject},
    fold,
    globals::config,
    identity,
    maps::{BIND_SITES, BIND_TIMES, BIND_TOTALS, BOUND, Call},
    memory::{Pointer, add, zeroed},
    sock,
};

const EADDRINUSE: i32 = -98;
/// Value that `inet_csk_get_port` returned for EADDRINUSE until 5.18.
const IN_USE: i32 = 1;
const BPF_F_USER_STACK: u64 = 1 << 8;

/// A search for a port begins; the caller is the current task.
#[inline(always)]
pub fn entered(sk: impl Pointer, port_asked: u16) {
    if sock::is_tcp(sk) && sock::state(sk) != tcp_state::LISTEN {
        let address = u64::from(port_asked);
        calls::remember(Call {
            start_ns: now_ns(),
            sk: sk.address(),
            address,
            descriptor: 0,
            syn_sent: 0,
            tid: 0,
            binds: 1,
        });
    }
}

/// The search ends; `ret` is 0, a negative errno, or the 1 of old kernels. Without a stored entry the call is not
/// traced.
#[inline(always)]
pub fn left(context: &impl EbpfContext, sk: impl Pointer, ret: i32) {
    let Some(call) = calls::current().filter(|call| call.binds == 1) else { return };
    let (start_ns, asked) = (call.start_ns, call.address as u16);
    let same = call.sk == sk.address();
    calls::forget();
    if !same || Detail::now().stopped() {
        return;
    }
    let ret = if ret == IN_USE { EADDRINUSE } else { ret };
    let mut place = MaybeUninit::uninit();
    let bind: &mut RawBind = zeroed(&mut place);
    bind.header = header::<RawBind>(kind::BIND);
    bind.took_ns = bind.header.ktime_ns - start_ns;
    bind.ret = ret;
    bind.port_asked = asked;
    identity::stamp_bind(bind);
    sock::read_bound(sk, bind);
    let RawBind { cgroup_id, tgid, uid, netns, family, ref comm, .. } = *bind;
    if !filter::wants(&Subject { cgroup_id, tgid, uid, netns, family, comm }) {
        return;
    }
    // SAFETY: the helper writes at most this many bytes, and they are the frames'.
    unsafe {
        let frames = bind.frames.as_mut_ptr().cast();
        bpf_get_stack(context.as_ptr(), frames, size_of::<[u64; FRAMES]>() as u32, BPF_F_USER_STACK);
    }
    add_up(sk.address(), bind);
    if config!(streams) & stream::BIND != 0 {
        send(bind);
    }
}

/// Adds to the totals of its process and of its call site. A function of its own, with a stack of its own.
#[inline(never)]
fn add_up(sk: u64, bind: &RawBind) {
    let any_port = bind.port_asked == 0;
    let binder = RawBinder { process_start_ns: identity::process_start_ns(), tgid: bind.tgid, netns: bind.netns };
    if let Some(totals) = totals(&binder, bind) {
        totals.cgroup_id = bind.cgroup_id;
        totals.uid = bind.uid;
        (totals.range_low, totals.range_high) = (bind.range_low, bind.range_high);
        let in_range = bind.range_low <= bind.port_asked && bind.port_asked <= bind.range_high;
        if !any_port && in_range && bind.ret == 0 {
            add(&mut totals.in_range, 1);
        }
        let counts = if any_port { &mut totals.any_port } else { &mut totals.a_port };
        add_counts(counts, bind);
    }
    if let Some(times) = BIND_TIMES.get_ptr_mut(if any_port { ANY_PORT } else { A_PORT }) {
        fold::record_in(times, bind.took_ns);
    }
    count_site(bind, binder.process_start_ns, any_port);
    if bind.ret == 0 {
        let bound = Bound { binder, port: bind.port_given, any_port: u16::from(any_port), pad: 0 };
        let _ = BOUND.insert(sk, bound, 0);
    }
}

#[inline(always)]
fn add_counts(counts: &mut RawBindCounts, bind: &RawBind) {
    add(&mut counts.calls, 1);
    add(&mut counts.took_ns, bind.took_ns);
    if bind.ret == EADDRINUSE {
        add(&mut counts.in_use, 1);
    }
    if bind.flags != 0 {
        add(&mut counts.shared, 1);
    }
}

#[inline(always)]
fn totals(binder: &RawBinder, bind: &RawBind) -> Option<&'static mut RawBindTotals> {
    if let Some(totals) = BIND_TOTALS.get_ptr_mut(binder) {
        // SAFETY: a live value of the map; counts are added atomically, the rest may be the last writer's.
        return unsafe { totals.as_mut() };
    }
    let mut place = MaybeUninit::uninit();
    let fresh: &mut RawBindTotals = zeroed(&mut place);
    fresh.comm = bind.comm;
    // 1 = BPF_NOEXIST: another CPU may have been first, and its counts stay.
    let _ = BIND_TOTALS.insert(binder, fresh, 1);
    let totals = BIND_TOTALS.get_ptr_mut(binder);
    if totals.is_none() {
        count(counters::SIGNAL_MAP_FULL);
    }
    // SAFETY: a live value of the map; counts are added atomically, the rest may be the last writer's.
    totals.and_then(|totals| unsafe { totals.as_mut() })
}

/// Counts the call site. A call site that finds no room is still in its process's totals.
#[inline(always)]
fn count_site(bind: &RawBind, process_start_ns: u64, any_port: bool) {
    let site = RawBindSite { process_start_ns, tgid: bind.tgid, any_port: u32::from(any_port), frames: bind.frames };
    if BIND_SITES.get_ptr(site).is_none() {
        let _ = BIND_SITES.insert(site, 0, 1);
    }
    if let Some(calls) = BIND_SITES.get_ptr_mut(site) {
        // SAFETY: a live u64 of the map that is only ever added to.
        add(unsafe { &mut *calls }, 1);
    }
}

/// TP_PROTO(const struct sock *sk, const int oldstate, const int newstate) of inet_sock_set_state: a bound socket
/// connects or listens.
#[inline(always)]
pub fn state_changed(sk: impl Pointer, to: u8) {
    match to {
        tcp_state::SYN_SENT => connecting(sk),
        tcp_state::LISTEN => _ = BOUND.remove(sk.address()),
        _ => {}
    }
}

#[inline(always)]
fn connecting(sk: impl Pointer) {
    let Some(bound) = BOUND.get_ptr(sk.address()) else { return };
    // SAFETY: read at once; an entry that is evicted meanwhile is memory of the map still.
    let Bound { binder, port, any_port, .. } = unsafe { *bound };
    let _ = BOUND.remove(sk.address());
    // Another socket used that address later, or counting has stopped.
    if port != sock::local_port(sk) || Detail::now().stopped() {
        return;
    }
    let Some(totals) = BIND_TOTALS.get_ptr_mut(binder) else { return };
    // SAFETY: a live value of the map, whose counts are only ever added to.
    let totals = unsafe { &mut *totals };
    add(if any_port != 0 { &mut totals.any_port.connected } else { &mut totals.a_port.connected }, 1);
}
