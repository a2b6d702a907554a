// SPDX-License-Identifier: MIT OR Apache-2.0
//! One TCP socket as the kernel lists it.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64},
};

/// A socket, a minisocket or a request, as the kernel's tables contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Inode number of its network namespace.
    pub netns: u32,
    /// TCP state.
    pub state: State,
    /// The running timer.
    pub timer: Timer,
    /// Local address, in the family on the wire: a v4-mapped one is IPv4.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: u16,
    /// Remote address; unspecified for a listener.
    pub daddr: IpAddr,
    /// Remote port; 0 for a listener.
    pub dport: u16,
    /// Index of the device that it is bound to (SO_BINDTODEVICE), if any.
    pub device: Option<NonZeroU32>,
    /// Inode for lookups in [`Owners`](super::owners::Owners); `None` once no process holds it.
    pub inode: Option<NonZeroU32>,
    /// User id.
    pub uid: u32,
    /// The cgroup v2 in which it was created, if the kernel reports it.
    pub cgroup: Option<NonZeroU64>,
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// Bytes that wait to be read; for a listener: connections that wait to be accepted.
    pub recv_queue: u32,
    /// Bytes that wait to be acknowledged; for a listener: limit of its accept queue.
    pub send_queue: u32,
    /// Time until the timer expires, in ms.
    pub expires_ms: Option<u32>,
}

/// TCP states, with the kernel's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// `TCP_ESTABLISHED`
    Established,
    /// `TCP_SYN_SENT`
    SynSent,
    /// `TCP_SYN_RECV`, including requests that wait for the third ACK.
    SynRecv,
    /// `TCP_FIN_WAIT1`
    FinWait1,
    /// `TCP_FIN_WAIT2`, as a socket or as a minisocket.
    FinWait2,
    /// `TCP_TIME_WAIT`
    TimeWait,
    /// `TCP_CLOSE` with a local port: bound, and neither connected nor listening. Listed by 6.8 and later.
    Bound,
    /// `TCP_CLOSE_WAIT`
    CloseWait,
    /// `TCP_LAST_ACK`
    LastAck,
    /// `TCP_LISTEN`
    Listen,
    /// `TCP_CLOSING`
    Closing,
}

/// The timer that a socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Nothing.
    Off,
    /// Retransmit timer: an acknowledgement is missing.
    Retransmit,
    /// Keepalive timer, or the end of an orphan.
    Keepalive,
    /// End of a minisocket.
    TimeWait,
    /// Zero-window probe.
    ZeroWindow,
    /// A timer that is unknown to this program.
    Other,
}

impl Socket {
    /// Whether it is a minisocket: in TIME_WAIT, or in FIN_WAIT2 after its owner closed it.
    pub fn is_minisocket(&self) -> bool {
        self.timer == Timer::TimeWait
    }
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Bound,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
    ];

    /// The state for a number of `include/net/tcp_states.h`; `None`: unknown to this program.
    pub(super) fn from_kernel(number: u8) -> Option<Self> {
        // NEW_SYN_RECV and BOUND_INACTIVE are reported as SYN_RECV and CLOSE, but that is not guaranteed.
        match number {
            12 => Some(Self::SynRecv),
            13 => Some(Self::Bound),
            number => Self::ALL.get(usize::from(number).checked_sub(1)?).copied(),
        }
    }

    /// Name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::SynSent => "syn_sent",
            Self::SynRecv => "syn_recv",
            Self::FinWait1 => "fin_wait1",
            Self::FinWait2 => "fin_wait2",
            Self::TimeWait => "time_wait",
            Self::Bound => "bound",
            Self::CloseWait => "close_wait",
            Self::LastAck => "last_ack",
            Self::Listen => "listen",
            Self::Closing => "closing",
        }
    }
}

impl Timer {
    pub(super) fn from_kernel(number: u8) -> Self {
        match number {
            0 => Self::Off,
            1 => Self::Retransmit,
            2 => Self::Keepalive,
            3 => Self::TimeWait,
            4 => Self::ZeroWindow,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_kernel() {
        assert_eq!(State::from_kernel(1), Some(State::Established));
        assert_eq!(State::from_kernel(6), Some(State::TimeWait));
        assert_eq!(State::from_kernel(10), Some(State::Listen));
        assert_eq!(State::from_kernel(13), Some(State::Bound));
        assert_eq!((State::from_kernel(0), State::from_kernel(14)), (None, None));
    }
}
