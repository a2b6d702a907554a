// SPDX-License-Identifier: MIT OR Apache-2.0
//! What not to do about it: advice that is passed on and makes things worse, or does nothing.

use super::Code;

const RECYCLE: &str = "tcp_tw_recycle: gone since 4.12, and it broke clients behind NAT";
const FIN_TIMEOUT: &str =
    "tcp_fin_timeout: it ends FIN_WAIT2 of sockets without an owner; TIME_WAIT takes 60 s whatever it says";
const FEWER_BUCKETS: &str =
    "lowering tcp_max_tw_buckets: connections skip TIME_WAIT, and late segments may hit new ones";
const LINGER_0: &str = "SO_LINGER 0 to get round TIME_WAIT: the peer gets a reset, and data on its way is lost";
const COOKIES_ALWAYS: &str =
    "tcp_syncookies=2: the options of every connection then survive only in timestamps, and no queue gets longer";
const SOMAXCONN_ALONE: &str =
    "raising somaxconn alone: the lower one of it and the application's backlog counts, from the next listen() on";

impl Code {
    /// What is often tried and should not be.
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
                "restarting only who bound them, before 6.18: a mark stays until the last connection on its port ends",
            ],
            Self::AcceptQueueOverflow => &[
                SOMAXCONN_ALONE,
                COOKIES_ALWAYS,
                "tcp_abort_on_overflow=1 as a cure: it only shows the overflow to clients, as resets",
            ],
            Self::SynQueueOverflow => &[
                COOKIES_ALWAYS,
                SOMAXCONN_ALONE,
                "raising tcp_max_syn_backlog alone: with cookies on the SYN queue's limit is the listener's backlog",
                "tcp_syncookies=0: what does not fit is then dropped",
            ],
            Self::ListenerChain => {
                &["more SO_REUSEPORT sockets per port: each makes the chain longer that every SYN walks"]
            }
            Self::CloseWaitLeak => &[
                "tcp_fin_timeout, tcp_tw_reuse: neither ends CLOSE_WAIT; only the owner's close() does",
                "raising the limit of descriptors: it only takes longer until they run out",
            ],
            Self::LingerReset => &[
                "l_linger in milliseconds: it is seconds; 1000 blocks close() for up to a quarter of an hour",
                LINGER_0,
            ],
            Self::SlowHandshake => &["lowering tcp_syn_retries: connects then fail sooner, none is faster"],
            Self::ConnectRefused => &["retrying at once: it adds load where nobody listens"],
            Self::ConnectUnanswered => &["raising tcp_syn_retries: callers then wait longer for the same nothing"],
            Self::ConntrackFull => &[
                "unloading nf_conntrack where rules or NAT need it: their connections break",
                "raising nf_conntrack_max without nf_conntrack_buckets: chains get longer, and each packet dearer",
                "nf_conntrack_tcp_timeout_established below what your connections idle: their packets become INVALID",
            ],
            Self::LimitNear => &["ulimit -n in your own shell: it changes neither what runs nor what systemd starts"],
            Self::UnsafeSysctl => &[],
        }
    }
}
