// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durations of the phases of an attempt, `None` if there was no such phase or it was not traced. Pure, and the same on
//! both sides.

use crate::connect::{RawConnect, ended, flag};

/// Within `__inet_hash_connect`.
#[inline(always)]
pub fn port_search_ns(raw: &RawConnect) -> Option<u64> {
    if searched(raw) { raw.search_end_ns.checked_sub(raw.search_start_ns) } else { None }
}

/// Time from the SYN (tracepoint tier: from SYN_SENT) to the end of the attempt, in ns.
#[inline(always)]
pub fn handshake_ns(raw: &RawConnect) -> Option<u64> {
    until_end(raw, syn_ns(raw)?)
}

/// Time from the call to the end of the attempt, in ns.
#[inline(always)]
pub fn total_ns(raw: &RawConnect) -> Option<u64> {
    if raw.flags & flag::START != 0 { until_end(raw, raw.start_ns) } else { None }
}

/// Whether a port search was seen from its entry to its exit: one that had a port to find.
#[inline(always)]
pub fn searched(raw: &RawConnect) -> bool {
    const BOTH: u32 = flag::SEARCH_ENTERED | flag::SEARCH_LEFT;
    raw.flags & BOTH == BOTH && raw.bound_port == 0
}

/// When the SYN went out; `None` if none did, or not then (TCP_FASTOPEN_CONNECT holds it back).
#[inline(always)]
pub fn syn_ns(raw: &RawConnect) -> Option<u64> {
    let none_sent = raw.ended_by == ended::CALL_FAILED || raw.ended_by == ended::DENIED;
    if none_sent || raw.flags & flag::DEFERRED != 0 || raw.sport == 0 {
        return None;
    }
    if raw.flags & flag::SEARCH_LEFT != 0 {
        return (raw.search_ret == 0).then_some(raw.search_end_ns);
    }
    (raw.flags & flag::SYN_SENT != 0).then_some(raw.search_start_ns)
}

#[inline(always)]
fn until_end(raw: &RawConnect, begin_ns: u64) -> Option<u64> {
    if raw.ended_by == ended::NOT { None } else { raw.header.ktime_ns.checked_sub(begin_ns) }
}
