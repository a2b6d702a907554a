// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of the kernel side as rows. Their fields are written by name: how the contract lays them out stays in memory.

use tcp_trace_common::{
    bind::{RawBindCounts, RawBindTotals, RawBinder},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::{RawInState, RawStateTotals},
    time_wait::{RawTimeWaitOwner, RawTimeWaitTotals},
};

use super::cells;
use crate::model::totals::{BindSite, NamedCgroup};

cells!(RawTimeWaitTotals { events, entered_fin_wait2, level, max_buckets });
cells!(RawPeer { process_start_ns, netns, tgid, address, port, family, side } pad pad = [0; 3]);
cells!(RawListenerKey { sk, netns, port, family, saddr });
cells!(RawBinder { process_start_ns, tgid, netns });
cells!(RawBindCounts { calls, in_use, connected, shared, took_ns });
cells!(RawInState { inside, inside_since_ns, left, ns, max_ns });
cells!(BindSite { pid, any_port, name, calls });
cells!(NamedCgroup { id, path });
cells!(RawTimeWaitOwner { events, entered_fin_wait2, entered_without_timestamps, cgroup_id, comm });
cells!(RawBindTotals { any_port, a_port, in_range, cgroup_id, range_low, range_high, uid, comm });
cells!(RawStateTotals {
    states,
    lives,
    cgroup_id,
    opened,
    closed,
    closed_first,
    peer_closed_first,
    linger_resets,
    unread_resets,
    peer_resets,
    timed_out,
    bytes_received,
    bytes_acked,
    lingering,
    lingering_ns,
    lingering_max_ns,
    comm,
});
cells!(RawListener {
    syns, drops, cookies, queued, accepted, lookups, lookup_ns, cookie, cgroup_id, limit, accept_queue, accept_high,
    syn_queue, syn_high, asked, owner_tgid, owner_comm,
} pad pad = 0);
