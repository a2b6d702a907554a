// SPDX-License-Identifier: MIT OR Apache-2.0
//! TIME_WAIT, edge by edge; the tiers call these.
//!
//! `tcp_set_state` never shows TIME_WAIT: tcp_time_wait puts a minisocket (inet_twsk_alloc) in the socket's place, and
//! the socket goes to CLOSE. Every minisocket leaves through inet_twsk_kill. Totals are always kept, events are sent
//! only if asked for.

use tcp_trace_common::{
    COMM_LEN,
    config::stream,
    counters, kind, tcp_state,
    time_wait::{Closer, RawTimeWait, RawTimeWaitTotals, event},
};

use crate::{
    emit::{count, header, now_ns, send},
    globals::config,
    identity,
    maps::{CLOSERS, TIME_WAIT_CONTEXT, TIME_WAIT_TOTALS, TimeWaitContext},
    memory::Untyped,
    sock,
};

/// `enum tcp_tw_status`
const TCP_TW_RST: i32 = 1;
const TCP_TW_ACK: i32 = 2;
const TCP_TW_SYN: i32 = 3;

/// Events are sent, so their owners are kept.
#[inline(always)]
fn streams() -> bool {
    config!(streams) & stream::TIME_WAIT != 0
}

#[inline(always)]
fn context() -> Option<&'static mut TimeWaitContext> {
    let context = TIME_WAIT_CONTEXT.get_ptr_mut(0)?;
    // SAFETY: this CPU's slot; its writers run with softirqs off.
    unsafe { context.as_mut() }
}

#[inline(always)]
fn totals(netns: u32) -> Option<&'static mut RawTimeWaitTotals> {
    if TIME_WAIT_TOTALS.get_ptr(netns).is_none() {
        const NONE: RawTimeWaitTotals =
            RawTimeWaitTotals { events: [0; event::COUNT], entered_fin_wait2: 0, level: u32::MAX, max_buckets: 0 };
        // 1 = BPF_NOEXIST: another CPU may have been first, and its counts stay.
        let _ = TIME_WAIT_TOTALS.insert(netns, NONE, 1);
    }
    let totals = TIME_WAIT_TOTALS.get_ptr_mut(netns);
    if totals.is_none() {
        count(counters::SIGNAL_MAP_FULL);
    }
    // SAFETY: a live value of the map; counts are added atomically, the level may be the last writer's.
    totals.and_then(|totals| unsafe { totals.as_mut() })
}

/// Adds one, on whatever CPU.
#[inline(always)]
fn add_one(counter: &mut u64) {
    // SAFETY: a valid, aligned u64 that is only ever changed so.
    let counter = unsafe { core::sync::atomic::AtomicU64::from_ptr(counter) };
    counter.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
}

/// One passage: what happened, the substate, and the namespace's level afterwards (`u32::MAX` if not known).
struct Passage {
    event: u8,
    substate: u8,
    level: u32,
}

/// Into the totals and, if asked for, onto the road. `sk` may be a minisocket.
#[inline(always)]
fn record(sk: u64, local_port: u16, passage: &Passage, closer: Option<&Closer>) {
    let netns = sock::netns(Untyped(sk));
    if let Some(totals) = totals(netns) {
        match passage.event {
            event::ENTER => {
                add_one(&mut totals.events[event::ENTER as usize]);
                if passage.substate == tcp_state::FIN_WAIT2 {
                    add_one(&mut totals.entered_fin_wait2);
                }
            }
            event::OVERFLOW => add_one(&mut totals.events[event::OVERFLOW as usize]),
            event::EXPIRED => add_one(&mut totals.events[event::EXPIRED as usize]),
            event::REUSED => add_one(&mut totals.events[event::REUSED as usize]),
            event::SYN => add_one(&mut totals.events[event::SYN as usize]),
            event::RESET => add_one(&mut totals.events[event::RESET as usize]),
            event::FIN_RECEIVED => add_one(&mut totals.events[event::FIN_RECEIVED as usize]),
            _ => add_one(&mut totals.events[event::OTHER as usize]),
        }
        if passage.level != u32::MAX {
            totals.level = passage.level;
            totals.max_buckets = sock::max_time_wait(Untyped(sk));
        }
    }
    if !streams() {
        return;
    }
    let mut raw = RawTimeWait {
        header: header::<RawTimeWait>(kind::TIME_WAIT),
        netns,
        level: passage.level,
        sport: local_port,
        dport: sock::remote_port(Untyped(sk)),
        event: passage.event,
        substate: passage.substate,
        ..RawTimeWait::default()
    };
    (raw.daddr, raw.family) = sock::remote_address(Untyped(sk));
    raw.saddr = sock::local_address(Untyped(sk), raw.family);
    if let Some(closer) = closer {
        raw.owner_tgid = closer.tgid;
        raw.owner_comm = closer.comm;
        if closer.entered_ns != 0 {
            raw.lived_ns = raw.header.ktime_ns - closer.entered_ns;
        }
    }
    send(&raw);
}

/// Who closed the socket or minisocket at this address, in place: a copy that may be of nothing is more than the
/// verifier of 5.10 takes.
#[inline(always)]
fn closer(address: u64) -> Option<&'static Closer> {
    if !streams() {
        return None;
    }
    // SAFETY: read at once; an entry that is evicted meanwhile is memory of the map still.
    unsafe { CLOSERS.get(address) }
}

/// The owner of a connection enters FIN_WAIT1 by close() or shutdown(), in its own context: it closes first.
#[inline(always)]
pub fn closing(sk: u64, state: u8) {
    if state == tcp_state::FIN_WAIT1 {
        let closer = Closer { entered_ns: 0, tgid: identity::tgid(), pad: 0, comm: identity::comm() };
        let _ = CLOSERS.insert(sk, closer, 0);
    }
}

/// A minisocket was made (`tw` not 0) or refused. The namespace counts it when its timer is started: a little later.
#[inline(always)]
pub fn allocated(sk: u64, state: u8, tw: u64) {
    let mut level = sock::time_wait_level(Untyped(sk));
    let closer = closer(sk);
    let event = if tw == 0 { event::OVERFLOW } else { event::ENTER };
    if tw != 0 && level != u32::MAX {
        level += 1;
    }
    record(sk, sock::local_port(Untyped(sk)), &Passage { event, substate: state, level }, closer);
    if !streams() {
        return;
    }
    if tw != 0 {
        let mut entered = Closer { entered_ns: now_ns(), tgid: 0, pad: 0, comm: [0; COMM_LEN] };
        if let Some(closer) = closer {
            entered.tgid = closer.tgid;
            entered.comm = closer.comm;
        }
        let _ = CLOSERS.insert(tw, entered, 0);
    }
    let _ = CLOSERS.remove(sk);
}

/// proto: void inet_twsk_kill(struct inet_timewait_sock *tw), once for each, whatever the reason.
#[inline(always)]
pub fn killed(tw: u64) {
    let Some(context) = context() else { return };
    let event = if context.reusing == tw {
        event::REUSED
    } else if context.processing == tw {
        event::RESET
    } else if context.decided == tw {
        context.verdict as u8
    } else if sock::time_wait_is_over(tw) {
        event::EXPIRED
    } else {
        event::OTHER
    };
    context.reusing = 0;
    context.decided = 0;
    // inet_twsk_kill takes it off the counter at its end.
    let now = sock::time_wait_level(Untyped(tw));
    let level = if now == u32::MAX { now } else { now - 1 };
    let substate = sock::time_wait_substate(tw);
    record(tw, sock::time_wait_port(tw), &Passage { event, substate, level }, closer(tw));
    if streams() {
        let _ = CLOSERS.remove(tw);
    }
}

/// `tcp_twsk_unique` is asked about this one; its answer comes without arguments on the kprobe tier.
#[inline(always)]
pub fn asked(tw: u64) {
    if let Some(context) = context() {
        context.asked = tw;
    }
}

/// It was asked about `tw` (0: about the one `asked` remembers) and answered `ret`.
#[inline(always)]
pub fn answered(tw: u64, ret: i32) {
    if let Some(context) = context()
        && ret == 1
    {
        context.reusing = if tw == 0 { context.asked } else { tw };
    }
}

/// proto: enum tcp_tw_status tcp_timewait_state_process(struct inet_timewait_sock *tw, ...)
#[inline(always)]
pub fn segment_arrived(tw: u64) {
    if let Some(context) = context() {
        context.processing = tw;
        context.substate = u32::from(sock::time_wait_substate(tw));
    }
}

/// What it decided.
#[inline(always)]
pub fn segment_processed(ret: i32) {
    let Some(context) = context() else { return };
    let tw = context.processing;
    context.processing = 0;
    match ret {
        TCP_TW_SYN => {
            context.decided = tw;
            context.verdict = u32::from(event::SYN);
        }
        TCP_TW_RST => {
            context.decided = tw;
            context.verdict = u32::from(event::RESET);
        }
        TCP_TW_ACK
            if context.substate == u32::from(tcp_state::FIN_WAIT2)
                && sock::time_wait_substate(tw) == tcp_state::TIME_WAIT =>
        {
            let level = sock::time_wait_level(Untyped(tw));
            let passage = Passage { event: event::FIN_RECEIVED, substate: tcp_state::TIME_WAIT, level };
            record(tw, sock::time_wait_port(tw), &passage, None);
        }
        _ => {}
    }
}
