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

cells!(RawTimeWaitTotals {
    "events" = events,
    "entered_fin_wait2" = entered_fin_wait2,
    "level" = level,
    "max_buckets" = max_buckets,
});
cells!(RawPeer {
    "process_start_ns" = process_start_ns or 0,
    "netns" = netns,
    "tgid" = tgid,
    "address" = address,
    "port" = port,
    "family" = family,
    "side" = side,
} pad pad = [0; 3]);
cells!(RawListenerKey { "sk" = sk, "netns" = netns, "port" = port, "family" = family, "saddr" = saddr });
cells!(RawBinder { "process_start_ns" = process_start_ns or 0, "tgid" = tgid, "netns" = netns });
cells!(RawBindCounts {
    "calls" = calls,
    "in_use" = in_use,
    "connected" = connected,
    "shared" = shared,
    "took_ns" = took_ns,
});
cells!(RawInState {
    "inside" = inside,
    "inside_since_ns" = inside_since_ns,
    "left" = left,
    "ns" = ns,
    "max_ns" = max_ns,
});
cells!(BindSite { "pid" = pid, "any_port" = any_port, "name" = name, "calls" = calls });
cells!(NamedCgroup { "id" = id, "path" = path });
cells!(RawTimeWaitOwner {
    "events" = events,
    "entered_fin_wait2" = entered_fin_wait2,
    "entered_without_timestamps" = entered_without_timestamps,
    "cgroup_id" = cgroup_id,
    "comm" = comm,
});
cells!(RawBindTotals {
    "any_port" = any_port,
    "a_port" = a_port,
    "in_range" = in_range,
    "cgroup_id" = cgroup_id,
    "range_low" = range_low,
    "range_high" = range_high,
    "uid" = uid,
    "comm" = comm,
});
cells!(RawStateTotals {
    "states" = states,
    "lives" = lives,
    "cgroup_id" = cgroup_id,
    "opened" = opened,
    "closed" = closed,
    "closed_first" = closed_first,
    "peer_closed_first" = peer_closed_first,
    "linger_resets" = linger_resets,
    "unread_resets" = unread_resets,
    "peer_resets" = peer_resets,
    "timed_out" = timed_out,
    "bytes_received" = bytes_received,
    "bytes_acked" = bytes_acked,
    "lingering" = lingering,
    "lingering_ns" = lingering_ns,
    "lingering_max_ns" = lingering_max_ns,
    "comm" = comm,
});
cells!(RawListener {
    "syns" = syns,
    "drops" = drops,
    "cookies" = cookies,
    "queued" = queued,
    "accepted" = accepted,
    "lookups" = lookups,
    "lookup_ns" = lookup_ns,
    "cookie" = cookie,
    "cgroup_id" = cgroup_id,
    "limit" = limit,
    "accept_queue" = accept_queue,
    "accept_high" = accept_high,
    "syn_queue" = syn_queue,
    "syn_high" = syn_high,
    "asked" = asked,
    "owner_tgid" = owner_tgid,
    "owner_comm" = owner_comm,
} pad pad = 0);
