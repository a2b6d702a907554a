// SPDX-License-Identifier: MIT OR Apache-2.0
//! How an attempt ended, from what the kernel said last.

use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, ECONNABORTED, ECONNREFUSED, ECONNRESET, EINPROGRESS, EINTR, EPERM, EPIPE,
    ETIMEDOUT,
};
use tcp_trace_common::connect::{RawConnect, ended, flag};

use crate::event::Outcome;

/// What the kernel returns inside before it decides whether to restart an interrupted call: ERESTARTSYS,
/// ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
const RESTART: [i32; 4] = [512, 513, 514, 516];

/// The outcome and the positive errno that goes with it.
pub fn outcome(raw: &RawConnect) -> (Outcome, Option<i32>) {
    match raw.ended_by {
        ended::NOT => (Outcome::Pending, None),
        ended::ESTABLISHED => (Outcome::Established, None),
        // Hooks may return any errno and it is a denial all the same. With a start it is a system call that failed
        // before SYN_SENT (tracepoint tier), and only the errno knows why.
        ended::DENIED if raw.flags & flag::START == 0 => (Outcome::Denied, returned(raw)),
        ended::DENIED | ended::CALL_FAILED => match returned(raw) {
            Some(errno) => of_errno(errno),
            None => unexplained(raw),
        },
        // CLOSED, DESTROYED, and what a newer object may say.
        _ => match raw.sk_err.checked_abs() {
            Some(errno @ 1..) => of_errno(errno),
            _ => unexplained(raw),
        },
    }
}

/// The errno of the search or of the call.
fn returned(raw: &RawConnect) -> Option<i32> {
    let search = (raw.flags & flag::SEARCH_LEFT != 0).then_some(raw.search_ret);
    [search, Some(raw.call_ret)].into_iter().flatten().find_map(|ret| ret.checked_neg().filter(|errno| *errno > 0))
}

/// Closed without an error on the socket.
fn unexplained(raw: &RawConnect) -> (Outcome, Option<i32>) {
    if raw.flags & flag::INTERRUPTED != 0 {
        return (Outcome::Interrupted, Some(EINTR));
    }
    if let Some(errno) = returned(raw).filter(|errno| *errno != EINPROGRESS) {
        return of_errno(errno);
    }
    // SYN_SENT -> CLOSE with no local port: the search found none. Only the tracepoint tier has to infer it.
    let searched_in_vain = raw.flags & flag::SYN_SENT != 0 && raw.sport == 0 && raw.bound_port == 0;
    if searched_in_vain && raw.flags & flag::SEARCH_ENTERED == 0 && raw.ended_by != ended::DESTROYED {
        return (Outcome::NoPort, None);
    }
    (Outcome::Abandoned, None)
}

fn of_errno(errno: i32) -> (Outcome, Option<i32>) {
    let outcome = match errno {
        EADDRNOTAVAIL => Outcome::NoPort,
        EADDRINUSE => Outcome::PortInUse,
        EPERM | EACCES => Outcome::Denied,
        ECONNREFUSED => Outcome::Refused,
        ETIMEDOUT => Outcome::TimedOut,
        ECONNRESET | ECONNABORTED | EPIPE => Outcome::Reset,
        EINTR => Outcome::Interrupted,
        // User space never sees these.
        _ if RESTART.contains(&errno) => return (Outcome::Interrupted, Some(EINTR)),
        // ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN and what else ICMP errors become; a blackhole route gives
        // EINVAL. Whatever is left (ENOMEM, ENOBUFS) never reached the peer either; the errno tells them apart.
        _ => Outcome::Unreachable,
    };
    (outcome, Some(errno))
}
