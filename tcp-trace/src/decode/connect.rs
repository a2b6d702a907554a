// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of one attempt of `connect()`.

use tcp_trace_common::{
    connect::{RawConnect, flag},
    phases::{self, searched},
    port_search,
};

use super::{Decoder, outcome::outcome};
use crate::{
    event::{Caller, Candidates, Cgroup, Comm, Connect},
    model::address::address,
};

impl Decoder {
    pub(super) fn connect(&self, raw: &RawConnect) -> Connect {
        let has = |bits: u32| raw.flags & bits == bits;
        let (outcome, errno) = outcome(raw);
        let search = port_search::derive(raw, self.walk);
        let handshake_ns = phases::handshake_ns(raw);
        Connect {
            time: self.clock.wall(raw.header.ktime_ns),
            began_ns: Some(raw.began_ns()).filter(|began| *began != 0),
            caller: Caller {
                pid: raw.tgid,
                tid: raw.tid,
                comm: Comm::from_kernel(&raw.comm),
                uid: raw.uid,
                cgroup: Cgroup::from_kernel(raw.cgroup_id),
            },
            netns: raw.netns,
            saddr: address(raw.saddr.octets(), raw.family),
            sport: (raw.sport != 0).then_some(raw.sport),
            daddr: address(raw.daddr.octets(), raw.family),
            dport: raw.dport,
            outcome,
            errno,
            source_port: search.source_port,
            port_search_ns: phases::port_search_ns(raw),
            ports_visited: search.visited,
            second_pass: search.second_pass,
            range: search.range,
            handshake_ns,
            syn_retransmits: (handshake_ns.is_some() && has(flag::RETRANSMITS)).then_some(raw.syn_retransmits),
            total_ns: phases::total_ns(raw),
            candidates: (searched(raw) && has(flag::PROBED)).then(|| candidates(raw, search.visited)),
            mptcp: has(flag::MPTCP_KNOWN).then(|| has(flag::MPTCP)),
            cpu: Some(raw.cpu()),
        }
    }
}

fn candidates(raw: &RawConnect, visited: Option<u32>) -> Candidates {
    let chosen = u32::from(raw.search_ret == 0);
    Candidates {
        in_use: raw.refused_candidates.saturating_sub(raw.time_wait_refused),
        time_wait: raw.time_wait_refused,
        time_wait_reused: raw.time_wait_reused,
        skipped: visited.and_then(|visited| visited.checked_sub(raw.refused_candidates)?.checked_sub(chosen)),
    }
}
