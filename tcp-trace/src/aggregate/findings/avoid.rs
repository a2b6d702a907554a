// SPDX-License-Identifier: MIT OR Apache-2.0
//! What not to do about it: advice that is passed on and makes things worse, or does nothing.

use super::Code;

const RECYCLE: &str = "tcp_tw_recycle: gone since 4.12, and it broke clients behind NAT";
const FEWER_BUCKETS: &str =
    "lowering tcp_max_tw_buckets: connections skip TIME_WAIT, and late segments may hit new ones";

impl Code {
    /// What is often tried and should not be.
    pub fn avoid(self) -> &'static [&'static str] {
        match self {
            Self::RangeFull | Self::ParityCliff => &[RECYCLE, FEWER_BUCKETS],
            Self::TimeWaitOverflow => &[FEWER_BUCKETS],
            _ => &[],
        }
    }
}
