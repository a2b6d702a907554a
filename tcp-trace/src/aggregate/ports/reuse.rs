// SPDX-License-Identifier: MIT OR Apache-2.0
//! When `connect()` may reuse a four-tuple in TIME_WAIT (`tcp_twsk_unique`), as far as settings determine it.

use std::net::IpAddr;

use crate::{
    inventory::socket::{Socket, State},
    kernel::rules::Sysctls,
};

/// Length of TIME_WAIT in ms, `TCP_TIMEWAIT_LEN`.
pub const TIME_WAIT_MS: u32 = 60_000;
/// Delay in ms of kernels without `tcp_tw_reuse_delay`.
const DELAY_MS: u32 = 1000;

/// The rule for one pair of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Reusable after some time in TIME_WAIT, if the peer sends timestamps too.
    After {
        /// Time since the minisocket was created, in ms.
        delay_ms: u32,
    },
    /// Never: `tcp_tw_reuse` is 0.
    Off,
    /// Never: `tcp_tw_reuse` is 2, and neither end is loopback.
    LoopbackOnly,
    /// Never: `tcp_timestamps` is 0.
    NoTimestamps,
    /// Unknown: the settings could not be read.
    Unknown,
}

impl Reuse {
    /// The rule for these addresses under these settings.
    pub fn of(sysctls: &Sysctls, saddr: IpAddr, daddr: IpAddr) -> Self {
        let after = Self::After { delay_ms: sysctls.tcp_tw_reuse_delay.unwrap_or(DELAY_MS) };
        match (sysctls.tcp_tw_reuse, sysctls.tcp_timestamps) {
            (Some(0), _) => Self::Off,
            (Some(2), _) if !saddr.is_loopback() && !daddr.is_loopback() => Self::LoopbackOnly,
            (None, _) | (_, None) => Self::Unknown,
            (_, Some(0)) => Self::NoTimestamps,
            (Some(_), Some(_)) => after,
        }
    }

    /// Whether a minisocket may be reused now. One that waits for the peer's FIN never is.
    pub fn now(self, socket: &Socket) -> bool {
        let age_ms = socket.expires_ms.map(|left| TIME_WAIT_MS.saturating_sub(left));
        socket.state == State::TimeWait && self.after(age_ms)
    }

    /// Whether a minisocket may be reused that has been in TIME_WAIT for `age_ms`.
    pub fn after(self, age_ms: Option<u32>) -> bool {
        matches!((self, age_ms), (Self::After { delay_ms }, Some(age_ms)) if age_ms > delay_ms)
    }

    /// The rule in words.
    pub fn words(self) -> String {
        match self {
            Self::After { delay_ms } => format!("after {delay_ms} ms in TIME_WAIT, if the peer sends timestamps"),
            Self::Off => "no: tcp_tw_reuse is 0".into(),
            Self::LoopbackOnly => "no: tcp_tw_reuse is 2, loopback only".into(),
            Self::NoTimestamps => "no: tcp_timestamps is 0".into(),
            Self::Unknown => "?".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn loopback_and_others() {
        let sysctls = |reuse| Sysctls { tcp_tw_reuse: Some(reuse), tcp_timestamps: Some(1), ..Sysctls::default() };
        let (here, there) = (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(10, 0, 0, 2).into());
        assert_eq!(Reuse::of(&sysctls(0), here, here), Reuse::Off);
        assert_eq!(Reuse::of(&sysctls(2), there, there), Reuse::LoopbackOnly);
        assert_eq!(Reuse::of(&sysctls(2), here, here), Reuse::After { delay_ms: 1000 });
        let slow = Sysctls { tcp_tw_reuse_delay: Some(5000), ..sysctls(1) };
        assert_eq!(Reuse::of(&slow, there, there), Reuse::After { delay_ms: 5000 });
        let none = Sysctls { tcp_timestamps: Some(0), ..sysctls(1) };
        assert_eq!(Reuse::of(&none, there, there), Reuse::NoTimestamps);
        assert_eq!(Reuse::of(&Sysctls::default(), there, there), Reuse::Unknown);
    }
}
