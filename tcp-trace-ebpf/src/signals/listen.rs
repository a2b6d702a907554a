// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listeners, edge by edge; the tiers call these.
//!
//! A SYN is decided about in tcp_conn_request, which always returns 0: that it was dropped shows in `sk_drops`, why
//! shows in the queues as they were before. A handshake that ends in a full accept queue is dropped at the beginning of
//! tcp_v4_syn_recv_sock or tcp_v6_syn_recv_sock.

use tcp_trace_common::{
    config::{filter, stream},
    counters, kind,
    listen::{RawListenDrop, RawListener, RawListenerKey, UNKNOWN, cause},
    tcp_state,
};

use crate::{
    emit::{count, header, now_ns, send},
    globals::config,
    identity,
    maps::{LISTEN_CONTEXT, LISTENERS, ListenContext},
    memory::{Pointer, Untyped, add},
    sock::{
        self,
        listener::{self, Queues, Sender},
    },
};

static NEW: RawListener = RawListener::NEW;

#[inline(always)]
fn context() -> Option<&'static mut ListenContext> {
    let context = LISTEN_CONTEXT.get_ptr_mut(0)?;
    // SAFETY: this CPU's slot; its writers run with softirqs off.
    unsafe { context.as_mut() }
}

/// The entry of a listener, created if missing. `None`: there is no room, or it is not traced.
#[inline(always)]
fn known(key: &RawListenerKey) -> Option<&'static mut RawListener> {
    if config!(filters) & filter::NETNS != 0 && key.netns != config!(netns) {
        return None;
    }
    if LISTENERS.get_ptr(key).is_none() {
        // 1 = BPF_NOEXIST: another CPU may have been first, and its counts stay.
        #[expect(clippy::needless_borrows_for_generic_args, reason = "by value it would be copied to the stack")]
        let _ = LISTENERS.insert(key, &NEW, 1);
    }
    let listener = LISTENERS.get_ptr_mut(key);
    if listener.is_none() {
        count(counters::SIGNAL_MAP_FULL);
    }
    // SAFETY: a live value of the map; counts are added atomically, of levels and names the last writer's stay.
    listener.and_then(|listener| unsafe { listener.as_mut() })
}

impl Queues {
    /// Cause for which tcp_conn_request would drop a SYN now, in the kernel's order. Kernels differ in whether the SYN
    /// queue is full at its limit or beyond it: exactly at the limit, other possible causes come first.
    #[inline(always)]
    fn cause<P: Pointer>(&self, sk: P) -> u8 {
        let without_cookies = listener::syncookies(sk) == 0;
        let max_backlog = listener::max_syn_backlog(sk);
        if without_cookies && self.syn > self.limit {
            cause::SYN_QUEUE
        } else if self.accept > self.limit {
            cause::ACCEPT_QUEUE
        } else if without_cookies && self.syn >= self.limit {
            cause::SYN_QUEUE
        } else if without_cookies && max_backlog.wrapping_sub(self.syn as i32) < max_backlog >> 2 {
            cause::SYN_BACKLOG
        } else {
            cause::OTHER
        }
    }

    #[inline(always)]
    fn note(&self, listener: &mut RawListener) {
        listener.limit = self.limit;
        listener.accept_queue = self.accept;
        listener.syn_queue = self.syn;
        listener.accept_high = listener.accept_high.max(self.accept);
        listener.syn_high = listener.syn_high.max(self.syn);
    }
}

/// proto: int tcp_conn_request(struct request_sock_ops *rsk_ops, const struct tcp_request_sock_ops *af_ops, struct sock
/// *sk, struct sk_buff *skb)
#[inline(always)]
pub fn syn_arrived(sk: impl Pointer, skb: u64) {
    let Some(context) = context() else { return };
    context.sk = 0;
    context.skb = skb;
    context.key = listener::listener_key(sk);
    let Some(listener) = known(&context.key) else { return };
    add(&mut listener.syns, 1);
    listener.cookie = sock::cookie(sk);
    let queues = listener::queues(sk);
    queues.note(listener);
    context.queues = queues;
    context.cause = u32::from(queues.cause(sk));
    context.drops = listener::drops(sk);
    context.answered_by_cookie = 0;
    context.sk = sk.address();
}

/// proto: __u32 cookie_v4_init_sequence(const struct sk_buff *skb, __u16 *mssp), within tcp_conn_request.
#[inline(always)]
pub fn cookie_made() {
    if let Some(context) = context() {
        context.answered_by_cookie = 1;
    }
}

/// tcp_conn_request is done with the SYN of this CPU; its caller frees the packet later.
#[inline(always)]
pub fn syn_decided() {
    let Some(context) = context() else { return };
    let sk = Untyped(context.sk);
    if sk.0 == 0 {
        return;
    }
    context.sk = 0;
    // SAFETY: a live value of the map, as in `known`.
    let Some(listener) = LISTENERS.get_ptr_mut(context.key).and_then(|listener| unsafe { listener.as_mut() }) else {
        return;
    };
    if listener::drops(sk) != context.drops {
        let mut cause = context.cause as u8;
        if cause == cause::OTHER {
            // Another CPU may have filled a queue after we looked.
            cause = listener::queues(sk).cause(sk);
        }
        add_drop(listener, cause);
        tell(&context.key, &context.queues, cause, || listener::sender(context.skb).unwrap_or(Sender::UNKNOWN));
    } else if context.answered_by_cookie != 0 {
        add(&mut listener.cookies, 1);
    } else {
        let syn = listener::queues(sk).syn;
        listener.syn_queue = syn;
        listener.syn_high = listener.syn_high.max(syn);
    }
}

#[inline(always)]
fn add_drop(listener: &mut RawListener, cause: u8) {
    add(&mut listener.drops[usize::from(cause) & (cause::SLOTS - 1)], 1);
}

/// proto: struct sock *tcp_v4_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, struct request_sock *req, ...),
/// and the same of v6, which calls that of v4 for what comes by IPv4: `of` is the family whose function this is.
#[inline(always)]
pub fn last_ack(sk: impl Pointer, request: u64, of: u16) {
    if let Some(context) = context() {
        // The child that is made now may have the address of an earlier one.
        context.queued = 0;
    }
    if sock::family(sk) != of {
        return;
    }
    let queues = listener::queues(sk);
    if queues.accept <= queues.limit {
        return;
    }
    let key = listener::listener_key(sk);
    let Some(listener) = known(&key) else { return };
    queues.note(listener);
    add_drop(listener, cause::ACCEPT_QUEUE_AT_ACK);
    tell(&key, &queues, cause::ACCEPT_QUEUE_AT_ACK, || {
        let (address, family) = sock::remote_address(Untyped(request));
        Sender { address, port: sock::remote_port(Untyped(request)), family }
    });
}

/// proto: struct sock *inet_csk_complete_hashdance(struct sock *sk, struct sock *child, struct request_sock *req, bool
/// own_req): the usual end of a handshake. It calls inet_csk_reqsk_queue_add, or has it within itself.
#[inline(always)]
pub fn handshake_ended(sk: impl Pointer, child: u64, own: u64) {
    if let Some(context) = context()
        && own as u8 != 0
    {
        context.queued = child;
        count_queued(sk);
    }
}

/// proto: struct sock *inet_csk_reqsk_queue_add(struct sock *sk, struct request_sock *req, struct sock *child). Called by
/// itself for what a cookie or Fast Open made.
#[inline(always)]
pub fn queued(sk: impl Pointer, child: u64) {
    let Some(context) = context() else { return };
    if context.queued == child {
        context.queued = 0;
    } else {
        count_queued(sk);
    }
}

/// Counts a completed handshake, unless the listener was closed meanwhile.
#[inline(always)]
fn count_queued(sk: impl Pointer) {
    if sock::state(sk) != tcp_state::LISTEN {
        return;
    }
    let Some(listener) = known(&listener::listener_key(sk)) else { return };
    let mut queues = listener::queues(sk);
    queues.accept += 1;
    queues.note(listener);
    add(&mut listener.queued, 1);
}

/// `accept()` took a connection out of the queue, in the context of its caller.
#[inline(always)]
pub fn accepted(sk: impl Pointer) {
    let Some(listener) = known(&listener::listener_key(sk)) else { return };
    add(&mut listener.accepted, 1);
    listener.accept_queue = listener::queues(sk).accept;
    own(listener);
}

/// `accept()` was called; whether it returns a connection is not traced.
#[inline(always)]
pub fn accepting(sk: impl Pointer) {
    let Some(listener) = known(&listener::listener_key(sk)) else { return };
    listener.accepted = UNKNOWN;
    own(listener);
}

/// Makes the current task the owner of the listener.
#[inline(always)]
fn own(listener: &mut RawListener) {
    listener.owner_tgid = identity::tgid();
    listener.owner_comm = identity::comm();
    listener.cgroup_id = identity::cgroup_id();
}

/// `listen()` was called with this backlog; the socket has the limit that the kernel reduced it to.
#[inline(always)]
pub fn listening(sk: Untyped, backlog: u32) {
    let key = listener::listener_key(sk);
    if key.port == 0 {
        return;
    }
    let Some(listener) = known(&key) else { return };
    listener.asked = backlog;
    own(listener);
}

/// A lookup of a listener begins on this CPU, until `looked_up`.
#[inline(always)]
pub fn looking_up() {
    if let Some(context) = context() {
        context.looking_since_ns = now_ns();
    }
}

/// A lookup found the listener `sk`.
#[inline(always)]
pub fn looked_up(sk: Untyped) {
    let Some(context) = context() else { return };
    let since_ns = context.looking_since_ns;
    context.looking_since_ns = 0;
    if since_ns == 0 || sk.0 == 0 {
        return;
    }
    let Some(listener) = known(&listener::listener_key(sk)) else { return };
    add(&mut listener.lookups, 1);
    add(&mut listener.lookup_ns, now_ns() - since_ns);
}

/// Sends the event of a drop, if requested.
#[inline(always)]
fn tell(key: &RawListenerKey, queues: &Queues, cause: u8, client: impl FnOnce() -> Sender) {
    if config!(streams) & stream::LISTEN == 0 {
        return;
    }
    let client = client();
    send(&RawListenDrop {
        header: header::<RawListenDrop>(kind::LISTEN_DROP),
        netns: key.netns,
        accept_queue: queues.accept,
        syn_queue: queues.syn,
        limit: queues.limit,
        family: client.family,
        port: key.port,
        client_port: client.port,
        cause,
        pad: 0,
        saddr: key.saddr,
        client: client.address,
    });
}
