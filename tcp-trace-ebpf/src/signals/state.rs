// SPDX-License-Identifier: MIT OR Apache-2.0
//! States of TCP sockets, edge by edge; the tiers call these functions.
//!
//! A socket is followed from SYN_SENT on, from ESTABLISHED on if it was accepted, or from its first traced change.
//! Totals are always kept, events are sent only on request. An accepted connection has no owner until accept() gives it
//! one: its earlier counts then move to the owner.

use tcp_trace_common::{
    config::stream,
    counters, kind,
    peer::side,
    state::{RawState, RawStateTotals, STATES, end, life_slot},
    tcp_state,
};

use crate::{
    detail::Detail,
    emit::{count, header, now_ns, send},
    globals::config,
    identity,
    maps::{Followed, Lingering, STATE_LINGERING, STATE_SOCKETS},
    memory::{Pointer, add},
    peer::Ends,
    sock,
    state_totals::{add_max, totals},
};

const EPIPE: i32 = 32;
const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;

/// Bits of `Followed::seen`: what was seen of a connection.
mod seen {
    /// The connection was established.
    pub const OPENED: u8 = 1 << 0;
    /// The owner closed first.
    pub const CLOSED_FIRST: u8 = 1 << 1;
    /// The peer closed first.
    pub const PEER_CLOSED_FIRST: u8 = 1 << 2;
}

/// What an event of a change needs.
struct Change {
    from: u8,
    to: u8,
    end: u8,
    in_state_ns: u64,
}

#[inline(always)]
fn find(sk: u64) -> Option<&'static mut Followed> {
    let socket = STATE_SOCKETS.get_ptr_mut(sk)?;
    // SAFETY: a live element. Programs that change its state run with the socket locked; accept() does not, and changes
    // the owner only.
    unsafe { socket.as_mut() }
}

/// TP_PROTO(const struct sock *sk, const int oldstate, const int newstate) of inet_sock_set_state: before the state is
/// stored, with the socket locked.
#[inline(always)]
pub fn changed(sk: impl Pointer, from: u8, to: u8) {
    // A connection that enters SYN_RECV is the listener's copy still, with the listener's addresses.
    let listener = from == tcp_state::LISTEN || to == tcp_state::LISTEN || to == tcp_state::SYN_RECV;
    if listener || Detail::now().stopped() {
        return;
    }
    let Some(socket) = follow(sk, from, to) else { return };
    let end = ending(sk, from, to);
    if socket.peer.tgid == 0 && by_owner(to, end) {
        take(socket);
    }
    let now = now_ns();
    let in_state_ns = if socket.since_ns == 0 || socket.state != from { 0 } else { now - socket.since_ns };
    let counted = count_change(sk, socket, now, Change { from, to, end, in_state_ns });
    tell(sk, socket, Change { from, to, end, in_state_ns });
    if to == tcp_state::CLOSE {
        let _ = STATE_SOCKETS.remove(sk.address());
        return;
    }
    socket.seen |= match (from, to) {
        (_, tcp_state::ESTABLISHED) => seen::OPENED,
        (_, tcp_state::FIN_WAIT1) => seen::CLOSED_FIRST,
        (tcp_state::ESTABLISHED, tcp_state::CLOSE_WAIT) => seen::PEER_CLOSED_FIRST,
        _ => 0,
    };
    // What found no room in the totals must not be taken off them later.
    socket.since_ns = if counted { now } else { 0 };
    socket.state = to;
}

/// The socket's entry, created if missing or if it belongs to an earlier connection at this address: the kernel skips
/// programs while they run on the same CPU, so an end may be missed.
#[inline(always)]
fn follow(sk: impl Pointer, from: u8, to: u8) -> Option<&'static mut Followed> {
    if let Some(socket) = find(sk.address()) {
        let begins = match from {
            // Both ends opened at once; otherwise it is a listener's, and new.
            tcp_state::SYN_RECV => socket.state != tcp_state::SYN_SENT,
            _ => to == tcp_state::SYN_SENT,
        };
        if !begins {
            return Some(socket);
        }
        forget(socket);
    }
    // Those that are followed already are.
    if !sock::is_tcp(sk) {
        return None;
    }
    let tcp = sk.tcp();
    // Before it has one, or where it does not matter, it is not asked for.
    let sport = if to == tcp_state::SYN_SENT { 0 } else { tcp.map_or(0, sock::bound_local_port) };
    let ends = Ends::of(sk, sport);
    let side = match (from, to) {
        (_, tcp_state::SYN_SENT) => side::OPENED,
        (tcp_state::SYN_RECV, tcp_state::ESTABLISHED) => side::ACCEPTED,
        _ => ends.side(sk, tcp.and_then(sock::chosen_by_connect)),
    };
    let fresh = Followed {
        since_ns: 0,
        cgroup_id: 0,
        peer: ends.peer(sock::netns(sk), (0, 0), side),
        state: from,
        seen: 0,
        pad: [0; 6],
        comm: [0; 16],
    };
    if STATE_SOCKETS.insert(sk.address(), fresh, 0).is_err() {
        count(counters::SIGNAL_MAP_FULL);
    }
    find(sk.address())
}

/// Removes a socket from its state, for any reason.
#[inline(always)]
fn forget(socket: &Followed) {
    if socket.since_ns != 0
        && let Some(totals) = totals(&socket.peer, socket)
    {
        leave(totals, socket);
    }
}

#[inline(always)]
fn enter(totals: &mut RawStateTotals, state: u8, since_ns: u64) {
    let state = &mut totals.states[slot(state)];
    add(&mut state.inside, 1);
    add(&mut state.inside_since_ns, since_ns);
}

/// Subtracts what [`enter`] added.
#[inline(always)]
fn leave(totals: &mut RawStateTotals, socket: &Followed) {
    let state = &mut totals.states[slot(socket.state)];
    add(&mut state.inside, u64::MAX);
    add(&mut state.inside_since_ns, socket.since_ns.wrapping_neg());
}

/// Whether the owner itself is running, because only its own call causes this change.
#[inline(always)]
fn by_owner(to: u8, end: u8) -> bool {
    match to {
        tcp_state::SYN_SENT | tcp_state::FIN_WAIT1 | tcp_state::LAST_ACK => true,
        tcp_state::CLOSE => end == end::LINGER_RESET || end == end::UNREAD_RESET,
        _ => false,
    }
}

/// How the connection ends. An abort by the owner shows as a change from a state before the owner's FIN, without an
/// error, which a RST of the peer would leave. After shutdown() aborts are not distinguished.
#[inline(always)]
fn ending(sk: impl Pointer, from: u8, to: u8) -> u8 {
    if to != tcp_state::CLOSE || from == tcp_state::SYN_SENT {
        return end::USUAL;
    }
    match sock::error(sk) {
        0 if from == tcp_state::ESTABLISHED || from == tcp_state::CLOSE_WAIT => {
            // In this order tcp_close() asks, too.
            if sk.tcp().is_some_and(|tcp| sock::has_unread(sk, tcp)) {
                end::UNREAD_RESET
            } else if sock::lingers(sk) && sock::linger_time(sk) == 0 {
                end::LINGER_RESET
            } else {
                end::USUAL
            }
        }
        ECONNRESET | EPIPE => end::PEER_RESET,
        ETIMEDOUT => end::TIMED_OUT,
        _ => end::USUAL,
    }
}

/// Gives the socket to the current task, with its counts so far.
#[inline(always)]
fn take(socket: &mut Followed) {
    let before = socket.peer;
    socket.peer.tgid = identity::tgid();
    socket.peer.process_start_ns = identity::process_start_ns();
    socket.comm = identity::comm();
    socket.cgroup_id = identity::cgroup_id();
    if socket.since_ns == 0 {
        return;
    }
    let opened = u64::from(socket.seen & seen::OPENED != 0);
    let Some(mine) = totals(&socket.peer, socket) else {
        (socket.peer.tgid, socket.peer.process_start_ns) = (0, 0);
        return;
    };
    enter(mine, socket.state, socket.since_ns);
    add(&mut mine.opened, opened);
    if let Some(nobodys) = totals(&before, socket) {
        leave(nobodys, socket);
        add(&mut nobodys.opened, opened.wrapping_neg());
    }
}

#[inline(always)]
fn slot(state: u8) -> usize {
    usize::from(state) & (STATES - 1)
}

/// Adds a change to the totals; `false` if there is no room for the key.
#[inline(always)]
fn count_change(sk: impl Pointer, socket: &Followed, now: u64, change: Change) -> bool {
    let Some(totals) = totals(&socket.peer, socket) else { return false };
    if socket.since_ns != 0 {
        leave(totals, socket);
    }
    // Where a change was missed it is not known how long it took.
    if change.in_state_ns != 0 {
        let state = &mut totals.states[slot(change.from)];
        add(&mut state.left, 1);
        add(&mut state.ns, change.in_state_ns);
        add_max(&mut state.max_ns, change.in_state_ns);
        if change.from == tcp_state::ESTABLISHED {
            add(&mut totals.lives[life_slot(change.in_state_ns)], 1);
        }
    }
    if change.to != tcp_state::CLOSE {
        enter(totals, change.to, now);
        add_if(change.to == tcp_state::ESTABLISHED, &mut totals.opened);
    } else if change.from != tcp_state::SYN_SENT {
        count_end(totals, socket, change.end);
        if let Some(tcp) = sk.tcp() {
            add(&mut totals.bytes_received, sock::bytes_received(tcp));
            add(&mut totals.bytes_acked, sock::bytes_acked(tcp));
        }
    }
    true
}

#[inline(always)]
fn count_end(totals: &mut RawStateTotals, socket: &Followed, end: u8) {
    add(&mut totals.closed, 1);
    add_if(socket.seen & seen::CLOSED_FIRST != 0, &mut totals.closed_first);
    add_if(socket.seen & seen::PEER_CLOSED_FIRST != 0, &mut totals.peer_closed_first);
    match end {
        end::LINGER_RESET => add(&mut totals.linger_resets, 1),
        end::UNREAD_RESET => add(&mut totals.unread_resets, 1),
        end::PEER_RESET => add(&mut totals.peer_resets, 1),
        end::TIMED_OUT => add(&mut totals.timed_out, 1),
        _ => {}
    }
}

/// Adds one if `condition` holds, without touching the counter otherwise.
#[inline(always)]
fn add_if(condition: bool, counter: &mut u64) {
    if condition {
        add(counter, 1);
    }
}

#[inline(always)]
fn tell(sk: impl Pointer, socket: &Followed, change: Change) {
    if config!(streams) & stream::STATE == 0 {
        return;
    }
    let sport = sk.tcp().map_or(0, sock::bound_local_port);
    let ends = Ends::of(sk, sport);
    let raw = RawState {
        header: header::<RawState>(kind::STATE),
        in_state_ns: change.in_state_ns,
        cgroup_id: socket.cgroup_id,
        netns: socket.peer.netns,
        tgid: socket.peer.tgid,
        family: ends.family,
        sport: ends.sport,
        dport: ends.dport,
        from: change.from,
        to: change.to,
        side: socket.peer.side,
        end: change.end,
        pad: [0; 6],
        saddr: ends.saddr,
        daddr: ends.daddr,
        comm: socket.comm,
    };
    send(&raw);
}

/// accept() gives this socket to the current task.
#[inline(always)]
pub fn accepted(sk: u64) {
    if sk != 0
        && !Detail::now().stopped()
        && let Some(socket) = find(sk)
        && socket.peer.tgid == 0
    {
        take(socket);
    }
}

/// proto: void tcp_close(struct sock *sk, long timeout), in jiffies: not 0 where SO_LINGER says so and the process is
/// not exiting.
#[inline(always)]
pub fn closing(sk: impl Pointer, timeout: i64) {
    let state = sock::state(sk);
    let connected = state == tcp_state::ESTABLISHED || state == tcp_state::CLOSE_WAIT;
    if timeout <= 0 || !connected || Detail::now().stopped() {
        return;
    }
    let Some(socket) = follow(sk, state, tcp_state::CLOSE) else { return };
    if socket.peer.tgid == 0 {
        take(socket);
    }
    let lingering = Lingering { start_ns: now_ns(), socket: *socket };
    if STATE_LINGERING.insert(identity::tid(), lingering, 0).is_err() {
        count(counters::SIGNAL_MAP_FULL);
    }
}

/// tcp_close returned.
#[inline(always)]
pub fn lingered() {
    let tid = identity::tid();
    let Some(lingering) = STATE_LINGERING.get_ptr_mut(tid) else { return };
    // SAFETY: a live element of this thread's own.
    let Some(lingering) = (unsafe { lingering.as_ref() }) else { return };
    let took_ns = now_ns() - lingering.start_ns;
    if let Some(totals) = totals(&lingering.socket.peer, &lingering.socket) {
        add(&mut totals.lingering, 1);
        add(&mut totals.lingering_ns, took_ns);
        add_max(&mut totals.lingering_max_ns, took_ns);
    }
    let _ = STATE_LINGERING.remove(tid);
}
