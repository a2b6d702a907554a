// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of states, by owner and peer.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_trace_common::{counters, peer::RawPeer, state::RawStateTotals};

use crate::{
    emit::count,
    maps::{Followed, NO_STATES, STATE_TOTALS},
};

/// The totals of this key, created if missing; the names are the owner's.
#[inline(always)]
pub fn totals(peer: &RawPeer, owner: &Followed) -> Option<&'static mut RawStateTotals> {
    if let Some(totals) = STATE_TOTALS.get_ptr_mut(peer) {
        // SAFETY: a live value of the map; counts are added atomically.
        return unsafe { totals.as_mut() };
    }
    let none = NO_STATES.get(0)?;
    // Fails if another program was faster, which is as good.
    let _ = STATE_TOTALS.insert(peer, none, BPF_NOEXIST.into());
    let Some(made) = STATE_TOTALS.get_ptr_mut(peer) else {
        count(counters::SIGNAL_MAP_FULL);
        return None;
    };
    if peer.tgid != 0 {
        // SAFETY: concurrent writers write the same values.
        unsafe {
            (*made).cgroup_id = owner.cgroup_id;
            (*made).comm = owner.comm;
        }
    }
    // SAFETY: a live value of the map; concurrent writers write the same values.
    unsafe { made.as_mut() }
}

/// Stores the larger value.
#[inline(always)]
pub fn add_max(max: &mut u64, value: u64) {
    if value > *max {
        *max = value;
    }
}
