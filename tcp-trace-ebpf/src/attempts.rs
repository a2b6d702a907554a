// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts in progress, by the address of their socket: see `tcp_trace_common::attempts`.

use core::sync::atomic::{AtomicU64, Ordering};

use tcp_trace_common::{
    attempts::{AttemptSet, WAYS},
    connect::RawConnect,
};

use crate::{
    globals::config,
    maps::{ATTEMPT_SETS, ATTEMPTS},
    memory::{copy_words, unbounded},
};

/// Bit in the result of [`place`] for a socket without a place; the rest is the first place of its set.
const NONE: u32 = 1 << 31;

#[inline(always)]
fn set(number: u32) -> Option<&'static mut AttemptSet> {
    // SAFETY: a live element. Sockets are written by who has the claim; claims are only ever added to.
    unsafe { ATTEMPT_SETS.get_ptr_mut(number)?.as_mut() }
}

#[inline(always)]
fn at(place: u32) -> Option<&'static mut RawConnect> {
    // SAFETY: a live element of the array. It belongs to this attempt until its place is released.
    unsafe { ATTEMPTS.get_ptr_mut(place)?.as_mut() }
}

/// The place of this socket's attempt. A function of its own in the object, so that all its paths end in one number.
#[inline(never)]
fn place(sk: u64) -> u32 {
    // The verifier forbids multiplying a typed pointer, but accepts its lower half as a number. High bits of the
    // product: lower ones would be the same for sockets at equal places of their slabs.
    let number = ((sk as u32).wrapping_mul(0x9e37_79b1) >> 15) & config!(attempt_sets_mask);
    let Some(set) = set(number) else { return NONE };
    let mut place = (number * WAYS) | NONE;
    for way in 0..WAYS {
        if set.sockets[way as usize] == sk {
            place = number * WAYS + way;
            break;
        }
    }
    unbounded(place)
}

/// Claims a free place from `first` on, which is the first of a set.
#[inline(never)]
fn claim(first: u32) -> u32 {
    let Some(set) = set(first / WAYS) else { return NONE };
    let mut place = NONE;
    for way in 0..WAYS {
        let claims = &raw mut set.claims[way as usize];
        // SAFETY: within the element, aligned, and only ever changed so; volatile, because others change it too.
        unsafe {
            if claims.read_volatile() != 0 {
                continue;
            }
            // Without the value before, which 5.10 cannot give: of several at once none or one finds a 1.
            AtomicU64::from_ptr(claims).fetch_add(1, Ordering::Relaxed);
            if claims.read_volatile() == 1 {
                place = first + way;
                break;
            }
            AtomicU64::from_ptr(claims).fetch_add(u64::MAX, Ordering::Relaxed);
        }
    }
    unbounded(place)
}

/// The attempt in progress on this socket.
#[inline(always)]
pub fn find(sk: u64) -> Option<&'static mut RawConnect> {
    at(place(sk))
}

/// Stores an attempt, replacing an older one on the same socket; `false` if there is no room.
#[inline(always)]
pub fn remember(sk: u64, attempt: &RawConnect) -> bool {
    let mut place = place(sk);
    let fresh = place & NONE != 0;
    if fresh {
        place = claim(place & !NONE);
    }
    let Some(here) = at(place) else { return false };
    copy_words(attempt, here);
    here.header.pad = place;
    if fresh && let Some(set) = set(place / WAYS) {
        set.sockets[(place % WAYS) as usize] = sk;
    }
    true
}

/// The place of a stored attempt, kept in its header, which is unused until the attempt ends.
#[inline(always)]
pub fn place_of(attempt: &RawConnect) -> u32 {
    attempt.header.pad
}

/// Releases the place of an attempt.
#[inline(always)]
pub fn forget(place: u32) {
    if let Some(set) = set(place / WAYS) {
        let way = (place % WAYS) as usize;
        set.sockets[way] = 0;
        let claims = &raw mut set.claims[way];
        // SAFETY: within the element, aligned, and only ever changed so.
        unsafe { AtomicU64::from_ptr(claims) }.fetch_add(u64::MAX, Ordering::Relaxed);
    }
}
