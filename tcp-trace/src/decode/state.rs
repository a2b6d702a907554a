// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of one change of state.

use tcp_trace_common::state::{RawState, end};

use super::Decoder;
use crate::{
    event::{Cgroup, Comm, End, Side, State},
    model::address::address,
};

impl Decoder {
    /// Decodes a change of state. `None`: an unknown end.
    pub(super) fn state(&self, raw: &RawState) -> Option<State> {
        let end = match raw.end {
            end::USUAL => None,
            end::LINGER_RESET => Some(End::LingerReset),
            end::UNREAD_RESET => Some(End::UnreadReset),
            end::PEER_RESET => Some(End::PeerReset),
            end::TIMED_OUT => Some(End::TimedOut),
            _ => return None,
        };
        let owned = raw.tgid != 0;
        Some(State {
            time: self.clock.wall(raw.header.ktime_ns),
            from: raw.from,
            to: raw.to,
            in_state_ns: (raw.in_state_ns != 0).then_some(raw.in_state_ns),
            end,
            netns: raw.netns,
            side: Side::from_kernel(raw.side),
            saddr: address(raw.saddr.octets(), raw.family),
            sport: (raw.sport != 0).then_some(raw.sport),
            daddr: address(raw.daddr.octets(), raw.family),
            dport: raw.dport,
            pid: owned.then_some(raw.tgid),
            comm: owned.then(|| Comm::from_kernel(&raw.comm)),
            cgroup: Cgroup::from_kernel(raw.cgroup_id),
        })
    }
}
