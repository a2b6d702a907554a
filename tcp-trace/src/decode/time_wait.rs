// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of a minisocket that enters or leaves TIME_WAIT.

use tcp_trace_common::{
    tcp_state,
    time_wait::{RawTimeWait, event},
};

use super::Decoder;
use crate::{
    event::{Comm, LeaveReason, Passage, TimeWait},
    model::address::address,
};

impl Decoder {
    /// Decodes a transition. `None`: an unknown transition.
    pub(super) fn time_wait(&self, raw: &RawTimeWait) -> Option<TimeWait> {
        let passage = match raw.event {
            event::ENTER => Passage::Enter { fin_wait2: raw.substate == tcp_state::FIN_WAIT2 },
            event::OVERFLOW => Passage::Overflow,
            event::EXPIRED => Passage::Leave(LeaveReason::Expired),
            event::REUSED => Passage::Leave(LeaveReason::Reused),
            event::SYN => Passage::Leave(LeaveReason::Syn),
            event::RESET => Passage::Leave(LeaveReason::Reset),
            event::OTHER => Passage::Leave(LeaveReason::Other),
            event::FIN_RECEIVED => Passage::FinReceived,
            _ => return None,
        };
        let owned = raw.owner_tgid != 0;
        Some(TimeWait {
            time: self.clock.wall(raw.header.ktime_ns),
            passage,
            netns: raw.netns,
            saddr: address(raw.saddr.octets(), raw.family),
            sport: raw.sport,
            daddr: address(raw.daddr.octets(), raw.family),
            dport: raw.dport,
            owner_pid: owned.then_some(raw.owner_tgid),
            owner_comm: owned.then(|| Comm::from_kernel(&raw.owner_comm)),
            lived_ns: (raw.lived_ns != 0).then_some(raw.lived_ns),
            level: (raw.level != u32::MAX).then_some(raw.level),
        })
    }
}
