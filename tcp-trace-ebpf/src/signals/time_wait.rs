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
    time_wait::{Closer, RawTimeWait, RawTimeWaitOwner, RawTimeWaitTotals, event},
};

use crate::{
    emit::{count, header, now_ns, send},
    globals::config,
    identity,
    maps::{CLOSERS, TIME_WAIT_CONTEXT, TIME_WAIT_OWNERS, TIME_WAIT_TOTALS, TimeWaitContext},
    memory::{Untyped, add},
    peer::Ends,
    sock,
};

/// `enum tcp_tw_status`
const TCP_TW_RST: i32 = 1;
const TCP_TW_ACK: i32 = 2;
const TCP_TW_SYN: i32 = 3;

/// Whether the process that closed first is stored: events need it, and so do totals by owner.
#[inline(always)]
fn keeps_owners() -> bool {
    config!(streams) & (stream::TIME_WAIT | stream::TIME_WAIT_OWNERS) != 0
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

/// One transition: what happened, the substate, and the namespace's level afterwards (`u32::MAX` if unknown).
struct Passage {
    event: u8,
    substate: u8,
    level: u32,
}

/// Adds a transition to the totals and, if requested, sends its event. `sk` may be a minisocket.
#[inline(always)]
fn record(sk: u64, local_port: u16, passage: &Passage, closer: Option<&Closer>) {
    let netns = sock::netns(Untyped(sk));
    if let Some(totals) = totals(netns) {
        add_passage(&mut totals.events, passage.event);
        if passage.event == event::ENTER && passage.substate == tcp_state::FIN_WAIT2 {
            add(&mut totals.entered_fin_wait2, 1);
        }
        if passage.level != u32::MAX {
            totals.level = passage.level;
            totals.max_buckets = sock::max_time_wait(Untyped(sk));
        }
    }
    if !keeps_owners() {
        return;
    }
    let ends = Ends::of(Untyped(sk), local_port);
    count_owner(sk, netns, &ends, passage, closer);
    if config!(streams) & stream::TIME_WAIT == 0 {
        return;
    }
    let mut raw = RawTimeWait {
        header: header::<RawTimeWait>(kind::TIME_WAIT),
        netns,
        level: passage.level,
        family: ends.family,
        sport: local_port,
        dport: ends.dport,
        event: passage.event,
        substate: passage.substate,
        saddr: ends.saddr,
        daddr: ends.daddr,
        ..RawTimeWait::default()
    };
    if let Some(closer) = closer {
        raw.owner_tgid = closer.tgid;
        raw.owner_comm = closer.comm;
        if closer.entered_ns != 0 {
            raw.lived_ns = raw.header.ktime_ns - closer.entered_ns;
        }
    }
    send(&raw);
}

/// Adds one to a constant index: a computed one would be one more path for the verifier.
#[inline(always)]
fn add_passage(events: &mut [u64; event::COUNT], passage: u8) {
    match passage {
        event::ENTER => add(&mut events[event::ENTER as usize], 1),
        event::OVERFLOW => add(&mut events[event::OVERFLOW as usize], 1),
        event::EXPIRED => add(&mut events[event::EXPIRED as usize], 1),
        event::REUSED => add(&mut events[event::REUSED as usize], 1),
        event::SYN => add(&mut events[event::SYN as usize], 1),
        event::RESET => add(&mut events[event::RESET as usize], 1),
        event::FIN_RECEIVED => add(&mut events[event::FIN_RECEIVED as usize], 1),
        _ => add(&mut events[event::OTHER as usize], 1),
    }
}

/// Adds to the totals of the owner. Unknown owners have totals of their own.
#[inline(always)]
fn count_owner(sk: u64, netns: u32, ends: &Ends, passage: &Passage, closer: Option<&Closer>) {
    let (process, side) = match closer {
        Some(closer) => ((closer.tgid, closer.process_start_ns), closer.side),
        // Not seen to close: older than the tracing, or evicted.
        None => ((0, 0), ends.side(Untyped(sk), None)),
    };
    let peer = ends.peer(netns, process, side);
    if TIME_WAIT_OWNERS.get_ptr(peer).is_none() {
        let mut fresh = RawTimeWaitOwner {
            events: [0; event::COUNT],
            entered_fin_wait2: 0,
            entered_without_timestamps: 0,
            cgroup_id: 0,
            comm: [0; COMM_LEN],
        };
        if let Some(closer) = closer {
            fresh.cgroup_id = closer.cgroup_id;
            fresh.comm = closer.comm;
        }
        // Fails if another CPU was first, which is as good.
        let _ = TIME_WAIT_OWNERS.insert(peer, fresh, 1);
    }
    let Some(owner) = TIME_WAIT_OWNERS.get_ptr_mut(peer) else {
        count(counters::SIGNAL_MAP_FULL);
        return;
    };
    // SAFETY: a live value of the map; counts are added atomically.
    let owner = unsafe { &mut *owner };
    add_passage(&mut owner.events, passage.event);
    if passage.event == event::ENTER {
        add(&mut owner.entered_fin_wait2, u64::from(passage.substate == tcp_state::FIN_WAIT2));
        add(&mut owner.entered_without_timestamps, u64::from(!sock::has_timestamps(Untyped(sk))));
    }
}

/// The process that closed the socket or minisocket at this address, by reference: the verifier of 5.10 does not accept
/// an optional copy.
#[inline(always)]
fn closer(address: u64) -> Option<&'static Closer> {
    if !keeps_owners() {
        return None;
    }
    // SAFETY: read at once; an entry that is evicted meanwhile is memory of the map still.
    unsafe { CLOSERS.get(address) }
}

/// The owner of a connection enters FIN_WAIT1 by close() or shutdown(), in its own context: it closes first.
#[inline(always)]
pub fn closing(sk: u64, state: u8) {
    if state == tcp_state::FIN_WAIT1 {
        let ends = Ends::of(Untyped(sk), sock::local_port(Untyped(sk)));
        let closer = Closer {
            entered_ns: 0,
            cgroup_id: identity::cgroup_id(),
            process_start_ns: identity::process_start_ns(),
            tgid: identity::tgid(),
            side: ends.side(Untyped(sk), sock::chosen_by_connect(Untyped(sk))),
            pad: [0; 3],
            comm: identity::comm(),
        };
        let _ = CLOSERS.insert(sk, closer, 0);
    }
}

/// A minisocket was created or refused. The namespace counts it when its timer starts, slightly later.
#[inline(always)]
pub fn allocated(sk: u64, state: u8, made: bool) {
    let mut level = sock::time_wait_level(Untyped(sk));
    let event = if made { event::ENTER } else { event::OVERFLOW };
    if made && level != u32::MAX {
        level += 1;
    }
    record(sk, sock::local_port(Untyped(sk)), &Passage { event, substate: state, level }, closer(sk));
}

/// The owner of a socket becomes the owner of its minisocket, 0 where there is none.
#[inline(always)]
pub fn inherit(sk: u64, tw: u64) {
    if !keeps_owners() {
        return;
    }
    if tw != 0 {
        let mut entered = Closer {
            entered_ns: now_ns(),
            cgroup_id: 0,
            process_start_ns: 0,
            tgid: 0,
            side: 0,
            pad: [0; 3],
            comm: [0; COMM_LEN],
        };
        if let Some(closer) = closer(sk) {
            entered.cgroup_id = closer.cgroup_id;
            entered.process_start_ns = closer.process_start_ns;
            entered.tgid = closer.tgid;
            entered.side = closer.side;
            entered.comm = closer.comm;
        } else {
            entered.side = Ends::of(Untyped(sk), sock::local_port(Untyped(sk))).side(Untyped(sk), None);
        }
        let _ = CLOSERS.insert(tw, entered, 0);
    }
    let _ = CLOSERS.remove(sk);
}

/// `inet_twsk_alloc` creates a minisocket for this socket; on the kprobe tier its return has no arguments.
#[inline(always)]
pub fn allocating(sk: u64) {
    if let Some(context) = context() {
        context.allocating = sk;
    }
}

/// `inet_twsk_alloc` returned this.
#[inline(always)]
pub fn allocation_ended(tw: u64) {
    if let Some(context) = context()
        && context.allocating != 0
    {
        inherit(context.allocating, tw);
        context.allocating = 0;
    }
}

/// proto: void inet_twsk_kill(struct inet_timewait_sock *tw), once for each, whatever the reason.
#[inline(always)]
pub fn killed(tw: u64) {
    let Some(context) = context() else { return };
    let event = if context.processing == tw {
        event::RESET
    } else if context.decided == tw {
        context.verdict as u8
    } else if sock::time_wait_is_replaced(tw) {
        event::REUSED
    } else if sock::time_wait_is_over(tw) {
        event::EXPIRED
    } else {
        event::OTHER
    };
    context.decided = 0;
    // inet_twsk_kill takes it off the counter at its end.
    let now = sock::time_wait_level(Untyped(tw));
    let level = if now == u32::MAX { now } else { now - 1 };
    let substate = sock::time_wait_substate(tw);
    record(tw, sock::time_wait_port(tw), &Passage { event, substate, level }, closer(tw));
    if keeps_owners() {
        let _ = CLOSERS.remove(tw);
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

/// `tcp_timewait_state_process` returned this.
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
