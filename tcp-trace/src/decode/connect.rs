// SPDX-License-Identifier: MIT OR Apache-2.0
//! One attempt of `connect()`: what its raw event means.

use tcp_trace_common::connect::{RawConnect, ended, flag};

use super::outcome::outcome;
use super::{Decoder, address};
use crate::event::{Caller, Candidates, Cgroup, Comm, Connect, SourcePort};
use crate::port_search;
use crate::probes::tier::Tier;

impl Decoder {
    pub(super) fn connect(&self, raw: &RawConnect) -> Connect {
        let has = |bits: u32| raw.flags & bits == bits;
        let (outcome, errno) = outcome(raw);
        let search = port_search::derive(raw, self.rules);
        let searched = has(flag::SEARCH_ENTERED | flag::SEARCH_LEFT) && search.source_port != Some(SourcePort::Bound);
        let end_ns = (raw.ended_by != ended::NOT).then_some(raw.header.ktime_ns);
        let syn_ns = self.syn_ns(raw);
        Connect {
            time: self.clock.wall(raw.header.ktime_ns),
            caller: Caller {
                pid: raw.tgid,
                tid: raw.tid,
                comm: Comm::from_kernel(&raw.comm),
                uid: raw.uid,
                cgroup: (raw.cgroup_id != 0).then_some(Cgroup { id: raw.cgroup_id, path: None }),
            },
            netns: raw.netns,
            saddr: address(raw.saddr, raw.family),
            sport: (raw.sport != 0).then_some(raw.sport),
            daddr: address(raw.daddr, raw.family),
            dport: raw.dport,
            outcome,
            errno,
            source_port: search.source_port,
            port_search_ns: if searched { raw.search_end_ns.checked_sub(raw.search_start_ns) } else { None },
            ports_visited: search.visited,
            second_pass: search.second_pass,
            range: search.range,
            handshake_ns: since(syn_ns, end_ns),
            syn_retransmits: syn_ns.and(end_ns).map(|_| raw.syn_retransmits),
            total_ns: since(has(flag::START).then_some(raw.start_ns), end_ns),
            candidates: (searched && has(flag::PROBED)).then(|| candidates(raw, search.visited)),
            mptcp: has(flag::MPTCP_KNOWN).then(|| has(flag::MPTCP)),
        }
    }

    /// When the SYN went out; `None` if none did, or not then (TCP_FASTOPEN_CONNECT holds it back).
    fn syn_ns(&self, raw: &RawConnect) -> Option<u64> {
        let none_sent = matches!(raw.ended_by, ended::CALL_FAILED | ended::DENIED) || raw.flags & flag::DEFERRED != 0;
        if none_sent || raw.sport == 0 {
            return None;
        }
        if raw.flags & flag::SEARCH_LEFT != 0 {
            return (raw.search_ret == 0).then_some(raw.search_end_ns);
        }
        let syn_sent = self.tier == Tier::Tracepoint && raw.flags & flag::SYN_SENT != 0;
        syn_sent.then_some(raw.search_start_ns)
    }
}

fn since(begin_ns: Option<u64>, end_ns: Option<u64>) -> Option<u64> {
    end_ns?.checked_sub(begin_ns?)
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
