// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long the phases of an attempt took. Pure, and the same on both sides.

use crate::connect::{RawConnect, ended, flag};

/// `None`: there was no such phase, or it was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Within `__inet_hash_connect`.
    pub port_search_ns: Option<u64>,
    /// From the SYN (tracepoint tier: from SYN_SENT) to the end.
    pub handshake_ns: Option<u64>,
    /// From the call to the end.
    pub total_ns: Option<u64>,
}

/// Takes them from a raw event.
#[inline(always)]
pub fn phases(raw: &RawConnect) -> Phases {
    let end_ns = (raw.ended_by != ended::NOT).then_some(raw.header.ktime_ns);
    Phases {
        port_search_ns: if searched(raw) { raw.search_end_ns.checked_sub(raw.search_start_ns) } else { None },
        handshake_ns: since(syn_ns(raw), end_ns),
        total_ns: since((raw.flags & flag::START != 0).then_some(raw.start_ns), end_ns),
    }
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
fn since(begin_ns: Option<u64>, end_ns: Option<u64>) -> Option<u64> {
    end_ns?.checked_sub(begin_ns?)
}
