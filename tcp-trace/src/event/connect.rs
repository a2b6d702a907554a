// SPDX-License-Identifier: MIT OR Apache-2.0
//! One attempt of `connect()`.

use std::net::IpAddr;

use jiff::Timestamp;
use tcp_trace_common::port_search::SourcePort;

use super::{Caller, Outcome, fields::structure};

/// The fields of a `connect` event: `fields.rs` says how to read this list.
macro_rules! connect_fields {
    ($consumer:ident) => {
        $consumer! {
            /// One attempt of `connect()`, whatever its end.
            Connect "connect" {
                /// When the attempt ended.
                "time" time: Timestamp;
                /// When the attempt began, in nanoseconds of `CLOCK_MONOTONIC`; with `tid` it identifies the attempt. Null if
                /// the beginning was not seen.
                "began_ns" began_ns: Option<u64> => recorded;
                /// Who called `connect()`.
                "" caller: Caller => recorded;
                /// Process id (thread group) of the caller.
                "pid" => [.caller.pid];
                /// Thread id of the caller.
                "tid" => [.caller.tid];
                /// Name of the calling thread.
                "comm" => [.caller.comm];
                /// User id of the caller.
                "uid" => [.caller.uid];
                /// cgroup v2 of the caller: its path, or `cgroup:` and its id where the path is not known. Null without a
                /// cgroup.
                "cgroup" => [.caller.cgroup];
                /// Inode number of the socket's network namespace.
                "netns" netns: u32;
                /// Address family on the wire: `ipv4` or `ipv6`.
                "family" => [.daddr.family()];
                /// Local address. Null until the kernel has chosen one.
                "saddr" saddr: IpAddr => [.saddr.chosen()];
                /// Local port. Null until the kernel has chosen one.
                "sport" sport: Option<u16>;
                /// Remote address.
                "daddr" daddr: IpAddr;
                /// Remote port.
                "dport" dport: u16;
                /// How the attempt ended: `established`, `refused`, `timed_out`, `reset`, `unreachable`, `no_port`,
                /// `port_in_use`, `denied`, `interrupted`, `abandoned` or `pending`.
                "outcome" outcome: Outcome;
                /// Positive errno that the caller saw or would have seen. Null if there was none.
                "errno" errno: Option<i32>;
                /// Where the local port came from: `ephemeral`, `bound` or `local_range`. Null if the search was not seen.
                "source_port" source_port: Option<SourcePort>;
                /// Time in `__inet_hash_connect`, in nanoseconds. Null if the search was not seen, as on the tracepoint tier.
                "port_search_ns" port_search_ns: Option<u64>;
                /// Candidate ports that the search looked at, the chosen one included. Null if they cannot be derived.
                "ports_visited" ports_visited: Option<u32>;
                /// Whether the search had to go through the ports of the other parity. Null if that cannot be derived.
                "second_pass" second_pass: Option<bool>;
                /// Local port range that was searched, both ends included. Null if the search was not seen.
                "range" range: Option<(u16, u16)> => recorded;
                /// Low end of the local port range that was searched. Null if the search was not seen.
                "range_low" => [.range.map(|(low, _)| low)];
                /// High end of the local port range that was searched, included. Null if the search was not seen.
                "range_high" => [.range.map(|(_, high)| high)];
                /// Time from the end of the port search (on the tracepoint tier: from SYN_SENT) to the end of the attempt, in
                /// nanoseconds. Null if no SYN was sent.
                "handshake_ns" handshake_ns: Option<u64>;
                /// SYNs that were retransmitted. Null if no SYN was sent.
                "syn_retransmits" syn_retransmits: Option<u32>;
                /// Time from the entry of `connect()` to the end of the attempt, in nanoseconds. Null if the entry was not
                /// seen.
                "total_ns" total_ns: Option<u64>;
                /// Why candidates were refused. Null unless the port probes were attached during the whole search.
                "candidates" candidates: Option<Candidates> => recorded;
                /// Candidates refused because a live connection has the four-tuple. Null unless the port probes were attached
                /// during the whole search.
                "candidates_in_use" => [.candidates.map(|candidates| candidates.in_use)];
                /// Candidates refused because the four-tuple is in TIME_WAIT and cannot be reused. Null as
                /// `candidates_in_use` is.
                "candidates_time_wait" => [.candidates.map(|candidates| candidates.time_wait)];
                /// Four-tuples in TIME_WAIT that the search took over. Null as `candidates_in_use` is.
                "candidates_time_wait_reused" => [.candidates.map(|candidates| candidates.time_wait_reused)];
                /// Candidates skipped without a test: reserved, or bound explicitly. Null as `candidates_in_use` is, and if
                /// `ports_visited` is null.
                "candidates_skipped" => [.candidates.and_then(|candidates| candidates.skipped)];
                /// Whether the socket is a subflow of an MPTCP connection. Null if the kernel does not say.
                "mptcp" mptcp: Option<bool>;
                /// Number of the CPU on which `connect()` was called. Null in recordings of versions that did not record it.
                "cpu" cpu: Option<u16>;
            }
        }
    };
}
pub(crate) use connect_fields;

connect_fields!(structure);

/// Why candidates were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The four-tuple is in use by a live connection.
    pub in_use: u32,
    /// The four-tuple is in TIME_WAIT and can't be reused.
    pub time_wait: u32,
    /// A TIME_WAIT four-tuple was taken over.
    pub time_wait_reused: u32,
    /// Skipped without a test: reserved, or bound explicitly. `None` where the visits are not known.
    pub skipped: Option<u32>,
}
