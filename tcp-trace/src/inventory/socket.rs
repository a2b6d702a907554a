// SPDX-License-Identifier: MIT OR Apache-2.0
//! One TCP socket as the kernel lists it.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64},
};

/// A socket, a minisocket or a request: everything that the kernel's tables hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Inode of its network namespace.
    pub netns: u32,
    /// What it is doing.
    pub state: State,
    /// What it waits for.
    pub timer: Timer,
    /// Local address, in the family on the wire: a v4-mapped one is IPv4.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: u16,
    /// Remote address; unspecified for a listener.
    pub daddr: IpAddr,
    /// Remote port; 0 for a listener.
    pub dport: u16,
    /// Index of the device that it is bound to (SO_BINDTODEVICE); none: to no device.
    pub device: Option<NonZeroU32>,
    /// By which [`Owners`](super::owners::Owners) know it; none once no process holds it.
    pub inode: Option<NonZeroU32>,
    /// Its user.
    pub uid: u32,
    /// The cgroup v2 that it was made in, where the kernel tells.
    pub cgroup: Option<NonZeroU64>,
    /// The kernel's own name for it.
    pub cookie: u64,
    /// Bytes that wait to be read; of a listener: connections that wait to be accepted.
    pub recv_queue: u32,
    /// Bytes that wait to be acknowledged; of a listener: how many may wait to be accepted.
    pub send_queue: u32,
    /// Until the timer runs out.
    pub expires_ms: Option<u32>,
}

/// States, named as the kernel names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// `TCP_ESTABLISHED`
    Established,
    /// `TCP_SYN_SENT`
    SynSent,
    /// `TCP_SYN_RECV`, requests that wait for the third ACK included.
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

/// What a socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Nothing.
    Off,
    /// An acknowledgement, before it sends again.
    Retransmit,
    /// A sign of life, or the end of its patience as an orphan.
    Keepalive,
    /// The end of a minisocket.
    TimeWait,
    /// A window to send into.
    ZeroWindow,
    /// One that this program does not know.
    Other,
}

impl Socket {
    /// Nothing but a note in the kernel's table that these addresses and ports rest: in TIME_WAIT, or in FIN_WAIT2
    /// after its owner let go of it.
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

    /// `include/net/tcp_states.h`; `None` is one that this program does not know.
    pub(super) fn from_kernel(number: u8) -> Option<Self> {
        // NEW_SYN_RECV and BOUND_INACTIVE are reported as SYN_RECV and CLOSE, but nothing promises that.
        match number {
            12 => Some(Self::SynRecv),
            13 => Some(Self::Bound),
            number => Self::ALL.get(usize::from(number).checked_sub(1)?).copied(),
        }
    }

    /// As every output spells it.
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
