// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outcome of an attempt, from what the kernel returned last. Pure, and the same on both sides, because the kernel side
//! adds up attempts by outcome. Numbers rather than an enum, because they are indices there.

use crate::connect::{RawConnect, ended, flag};

/// The handshake was completed.
pub const ESTABLISHED: u32 = 0;
/// ECONNREFUSED
pub const REFUSED: u32 = 1;
/// ETIMEDOUT
pub const TIMED_OUT: u32 = 2;
/// ECONNRESET, ECONNABORTED, EPIPE
pub const RESET: u32 = 3;
/// ENETUNREACH, EHOSTUNREACH, ...
pub const UNREACHABLE: u32 = 4;
/// EADDRNOTAVAIL
pub const NO_PORT: u32 = 5;
/// EADDRINUSE
pub const PORT_IN_USE: u32 = 6;
/// EPERM, EACCES, and whatever a hook that refuses says
pub const DENIED: u32 = 7;
/// EINTR
pub const INTERRUPTED: u32 = 8;
/// Closed by its owner before the end.
pub const ABANDONED: u32 = 9;
/// Still under way.
pub const PENDING: u32 = 10;
/// Number of outcomes.
pub const COUNT: usize = 11;

const EPERM: u32 = 1;
const EINTR: u32 = 4;
const EACCES: u32 = 13;
const EPIPE: u32 = 32;
const EADDRINUSE: u32 = 98;
const EADDRNOTAVAIL: u32 = 99;
const ECONNABORTED: u32 = 103;
const ECONNRESET: u32 = 104;
const ETIMEDOUT: u32 = 110;
const ECONNREFUSED: u32 = 111;
const EINPROGRESS: u32 = 115;
/// Values that the kernel returns internally before it decides whether to restart an interrupted call, and that user
/// space never sees: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
const RESTART: [u32; 4] = [512, 513, 514, 516];

/// The outcome, and the positive errno that goes with it; 0 = none does.
#[inline(always)]
pub fn of(raw: &RawConnect) -> (u32, u32) {
    match raw.ended_by {
        ended::NOT => (PENDING, 0),
        ended::ESTABLISHED => (ESTABLISHED, 0),
        // Hooks may return any errno and it is a denial all the same. With a start it is a system call that failed
        // before SYN_SENT (tracepoint tier), and only the errno knows why.
        ended::DENIED if raw.flags & flag::START == 0 => (DENIED, returned(raw)),
        ended::DENIED | ended::CALL_FAILED => match returned(raw) {
            0 => unexplained(raw),
            errno => of_errno(errno),
        },
        // CLOSED, DESTROYED, and what a newer object may say.
        _ => match raw.sk_err {
            0 | i32::MIN => unexplained(raw),
            error => of_errno(error.unsigned_abs()),
        },
    }
}

/// The errno of the search or of the call.
#[inline(always)]
fn returned(raw: &RawConnect) -> u32 {
    let search = if raw.flags & flag::SEARCH_LEFT != 0 { errno(raw.search_ret) } else { 0 };
    if search != 0 { search } else { errno(raw.call_ret) }
}

#[inline(always)]
fn errno(ret: i32) -> u32 {
    if ret < 0 && ret != i32::MIN { ret.unsigned_abs() } else { 0 }
}

/// Closed without an error on the socket.
#[inline(always)]
fn unexplained(raw: &RawConnect) -> (u32, u32) {
    if raw.flags & flag::INTERRUPTED != 0 {
        return (INTERRUPTED, EINTR);
    }
    match returned(raw) {
        0 | EINPROGRESS => {}
        errno => return of_errno(errno),
    }
    // SYN_SENT -> CLOSE with no local port: the search found none. Only the tracepoint tier has to infer it.
    let searched_in_vain = raw.flags & flag::SYN_SENT != 0 && raw.sport == 0 && raw.bound_port == 0;
    if searched_in_vain && raw.flags & flag::SEARCH_ENTERED == 0 && raw.ended_by != ended::DESTROYED {
        return (NO_PORT, 0);
    }
    (ABANDONED, 0)
}

#[inline(always)]
fn of_errno(errno: u32) -> (u32, u32) {
    let outcome = match errno {
        EADDRNOTAVAIL => NO_PORT,
        EADDRINUSE => PORT_IN_USE,
        EPERM | EACCES => DENIED,
        ECONNREFUSED => REFUSED,
        ETIMEDOUT => TIMED_OUT,
        ECONNRESET | ECONNABORTED | EPIPE => RESET,
        EINTR => INTERRUPTED,
        _ if RESTART.contains(&errno) => return (INTERRUPTED, EINTR),
        // ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN and what else ICMP errors become; a blackhole route gives
        // EINVAL. Whatever is left (ENOMEM, ENOBUFS) never reached the peer either; the errno tells them apart.
        _ => UNREACHABLE,
    };
    (outcome, errno)
}
