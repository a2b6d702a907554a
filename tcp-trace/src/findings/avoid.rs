// SPDX-License-Identifier: MIT OR Apache-2.0
//! Advice to avoid for each cause: it is often given, and it makes things worse or does nothing.

use super::Code;

const RECYCLE: &str = "tcp_tw_recycle: removed in 4.12; it broke clients behind NAT";
const FIN_TIMEOUT: &str = "tcp_fin_timeout: it shortens FIN_WAIT2 of orphaned sockets; TIME_WAIT always takes 60 s";
const FEWER_BUCKETS: &str =
    "lowering tcp_max_tw_buckets: connections skip TIME_WAIT, and late segments may hit new ones";
const LINGER_0: &str = "SO_LINGER 0 to avoid TIME_WAIT: the peer gets a reset, and data in flight is lost";
const COOKIES_ALWAYS: &str =
    "tcp_syncookies=2: the TCP options of every connection then survive only in timestamps, and no queue gets longer";
const SOMAXCONN_ALONE: &str = "raising somaxconn alone: the limit is the lower of somaxconn and the application's backlog, from the next listen() on";

impl Code {
    /// Measures that are often tried against this cause and should not be.
    pub fn avoid(self) -> &'static [&'static str] {
        match self {
            Self::RangeFull | Self::ParityCliff | Self::TimeWaitPileup => {
                &[RECYCLE, FIN_TIMEOUT, FEWER_BUCKETS, LINGER_0]
            }
            Self::TimeWaitOverflow => &[FEWER_BUCKETS, FIN_TIMEOUT, RECYCLE],
            Self::ShortConnections => &[
                "tcp_tw_reuse as a cure: it frees ports, but each connection still pays its handshake and slow start",
                LINGER_0,
            ],
            Self::BindBeforeConnect => &[
                "SO_REUSEADDR on the client's socket: it marks the ports, and every other connect() then skips them",
                "widening ip_local_port_range alone: a port that bind() chose still serves one destination only",
            ],
            Self::PoisonedBuckets => &[
                "SO_REUSEADDR or SO_REUSEPORT on client sockets: they are what marks the ports",
                "restarting only the program that bound them, before 6.18: a mark stays until the last connection on its port ends",
            ],
            Self::AcceptQueueOverflow => &[
                SOMAXCONN_ALONE,
                COOKIES_ALWAYS,
                "tcp_abort_on_overflow=1 as a cure: clients then get resets, and the queue still overflows",
            ],
            Self::SynQueueOverflow => &[
                COOKIES_ALWAYS,
                SOMAXCONN_ALONE,
                "raising tcp_max_syn_backlog alone: with cookies on the SYN queue's limit is the listener's backlog",
                "tcp_syncookies=0: the kernel then drops every SYN that does not fit",
            ],
            Self::ListenerChain => {
                &["more SO_REUSEPORT sockets per port: each one lengthens the chain that every SYN walks"]
            }
            Self::CloseWaitLeak => &[
                "tcp_fin_timeout, tcp_tw_reuse: neither ends CLOSE_WAIT; only the owner's close() does",
                "raising the limit on file descriptors: they then run out later",
            ],
            Self::LingerReset => {
                &["l_linger in milliseconds: the unit is seconds; 1000 blocks close() for up to 17 minutes", LINGER_0]
            }
            Self::SlowHandshake => &["lowering tcp_syn_retries: connects then fail sooner, but none gets faster"],
            Self::ConnectRefused => &["retrying at once: it adds load, and no process listens there"],
            Self::ConnectUnanswered => &["raising tcp_syn_retries: callers wait longer and still get no reply"],
            Self::ConntrackFull => &[
                "unloading nf_conntrack where rules or NAT need it: their connections break",
                "raising nf_conntrack_max without nf_conntrack_buckets: chains get longer, and each packet costs more",
                "nf_conntrack_tcp_timeout_established below the idle time of your connections: their packets become INVALID",
            ],
            Self::LimitNear => {
                &["ulimit -n in your own shell: it affects neither running processes nor services started by systemd"]
            }
            Self::UnsafeSysctl => &[],
        }
    }
}
