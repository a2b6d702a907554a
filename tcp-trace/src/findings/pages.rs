// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runbook pages, one per code: what it is, how to be sure, what to change, what not to do. The same files are the
//! documentation in docs/findings.

use super::Code;

/// The page with this name in docs/findings.
macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../docs/findings/", $name, ".md"))
    };
}

impl Code {
    /// The runbook page as Markdown.
    pub fn page(self) -> &'static str {
        match self {
            Self::PoisonedBuckets => page!("poisoned-buckets"),
            Self::BindBeforeConnect => page!("bind-before-connect"),
            Self::RangeFull => page!("range-full"),
            Self::ParityCliff => page!("parity-cliff"),
            Self::AcceptQueueOverflow => page!("accept-queue-overflow"),
            Self::SynQueueOverflow => page!("syn-queue-overflow"),
            Self::ListenerChain => page!("listener-chain"),
            Self::CloseWaitLeak => page!("close-wait-leak"),
            Self::LingerReset => page!("linger-reset"),
            Self::ConntrackFull => page!("conntrack-full"),
            Self::LimitNear => page!("limit-near"),
            Self::TimeWaitOverflow => page!("time-wait-overflow"),
            Self::TimeWaitPileup => page!("time-wait-pileup"),
            Self::ShortConnections => page!("short-connections"),
            Self::SlowHandshake => page!("slow-handshake"),
            Self::ConnectRefused => page!("connect-refused"),
            Self::ConnectUnanswered => page!("connect-unanswered"),
            Self::UnsafeSysctl => page!("unsafe-sysctl"),
        }
    }

    /// The finding in one sentence: the first paragraph of its page, which is one line.
    pub fn summary(self) -> &'static str {
        self.page().lines().nth(2).unwrap_or_default()
    }
}
