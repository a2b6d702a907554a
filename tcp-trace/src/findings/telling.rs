// SPDX-License-Identifier: MIT OR Apache-2.0
//! The few pieces of evidence that convince at first sight: who, and two or three figures.

use super::Code;

impl Code {
    /// Names of evidence for the short form of a finding, the most telling first.
    pub fn telling(self) -> &'static [&'static str] {
        match self {
            Self::PoisonedBuckets => &["poisoned", "poisoned_first_half", "skipped", "binds_in_range"],
            Self::BindBeforeConnect => &["caller", "ports_held", "binds_to_port_0", "bind_in_use", "bind_mean_ns"],
            Self::RangeFull => &["caller", "no_port", "connects", "port_search_max_ns", "time_wait_level"],
            Self::ParityCliff => {
                &["caller", "second_pass_share", "ports_visited_mean", "port_search_mean_ns", "ports_to_cliff"]
            }
            Self::AcceptQueueOverflow => {
                &["owner", "listener", "accept_queue", "limit", "accept_queue_high", "backlog_requested", "somaxconn"]
            }
            Self::SynQueueOverflow => {
                &["owner", "listener", "syn_queue_high", "tcp_max_syn_backlog", "tcp_req_q_full_drop"]
            }
            Self::ListenerChain => &["lookups", "lookup_mean_ns", "lookup_chain", "sockets"],
            Self::CloseWaitLeak => &["owner", "peer", "close_wait_now", "stuck", "mean_age_ns"],
            Self::LingerReset => &["owner", "peer", "linger_resets", "closed", "lingering_max_ns"],
            Self::ConntrackFull => &["entries", "nf_conntrack_max", "dropped"],
            Self::LimitNear => {
                &["process", "open", "nofile_soft", "fs_file_max", "pages", "tcp_mem_max", "orphans", "tcp_max_orphans"]
            }
            Self::TimeWaitPileup => &["owner", "time_wait", "time_wait_share", "time_wait_reusable"],
            Self::TimeWaitOverflow => &["overflow", "entered", "tcp_max_tw_buckets"],
            Self::ShortConnections => &["owner", "peer", "opened", "life_mean_ns", "bytes_per_connection"],
            Self::SlowHandshake => &["owner", "caller", "syn_retransmits", "handshake_max_ns", "cause"],
            Self::ConnectRefused | Self::ConnectUnanswered => &["caller", "connects", "share"],
            Self::UnsafeSysctl => &["setting", "value", "namespaces"],
        }
    }
}
