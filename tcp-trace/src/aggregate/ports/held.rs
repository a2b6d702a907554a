// SPDX-License-Identifier: MIT OR Apache-2.0
//! What takes the ports of a range towards one destination; each port is counted once.

use super::range::{Halves, Range};
use crate::inventory::socket::{Socket, State};

/// What takes a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// A connection in use.
    Established,
    /// A connection that is being opened.
    Opening,
    /// A connection that the peer closed and the application did not: CLOSE_WAIT.
    CloseWait,
    /// A connection that is being closed, including a minisocket in FIN_WAIT2.
    Closing,
    /// TIME_WAIT that cannot be reused now.
    TimeWait,
    /// TIME_WAIT that `connect()` may reuse: the port is free.
    TimeWaitReusable,
    /// Reserved by `ip_local_reserved_ports`, for every destination.
    Reserved,
    /// A listener's port, skipped for every destination.
    Listening,
    /// Bound by a socket that is neither connected nor listening: skipped for every destination.
    Bound,
    /// Marked by a `bind()` of a socket that is connected elsewhere, or closed: skipped for every destination.
    Marked,
}

/// Number of ports by what takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held([Halves; By::ALL.len()]);

impl By {
    /// All kinds, in display order.
    pub const ALL: [Self; 10] = [
        Self::Established,
        Self::Opening,
        Self::CloseWait,
        Self::Closing,
        Self::TimeWait,
        Self::TimeWaitReusable,
        Self::Reserved,
        Self::Listening,
        Self::Bound,
        Self::Marked,
    ];

    /// Name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Opening => "opening",
            Self::CloseWait => "close_wait",
            Self::Closing => "closing",
            Self::TimeWait => "time_wait",
            Self::TimeWaitReusable => "time_wait_reusable",
            Self::Reserved => "reserved",
            Self::Listening => "listening",
            Self::Bound => "bound",
            Self::Marked => "marked",
        }
    }

    /// The kind of a connected socket.
    pub(super) fn of(socket: &Socket, reusable: bool) -> Self {
        match socket.state {
            State::SynSent | State::SynRecv => Self::Opening,
            State::CloseWait => Self::CloseWait,
            State::TimeWait if reusable => Self::TimeWaitReusable,
            State::TimeWait => Self::TimeWait,
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => Self::Closing,
            State::Listen => Self::Listening,
            State::Bound => Self::Bound,
            State::Established => Self::Established,
        }
    }
}

impl Held {
    pub(super) fn add(&mut self, by: By, first: bool) {
        self.0[by as usize].add(first);
    }

    /// Ports that this kind takes.
    pub fn by(&self, by: By) -> Halves {
        self.0[by as usize]
    }

    /// Ports that a search cannot use.
    pub fn taken(&self) -> Halves {
        let all = By::ALL.into_iter().filter(|by| *by != By::TimeWaitReusable).map(|by| self.by(by));
        all.fold(Halves::default(), |sum, more| Halves {
            first: sum.first + more.first,
            second: sum.second + more.second,
        })
    }

    /// Ports that a search can use.
    pub fn free(&self, range: Range) -> Halves {
        range.halves().minus(self.taken())
    }

    /// Connects until the first half is full and each connect walks all of it; `None`: the range is searched in one
    /// pass.
    pub fn to_cliff(&self, range: Range) -> Option<u32> {
        (!range.one_pass).then(|| self.free(range).first.saturating_sub(range.never_tried()))
    }

    /// Connects until no port is left.
    pub fn to_exhaustion(&self, range: Range) -> u32 {
        self.free(range).both().saturating_sub(range.never_tried())
    }

    /// Ports taken for every destination alike, not for this one alone.
    pub fn in_common(&self) -> u32 {
        [By::Reserved, By::Listening, By::Bound, By::Marked].into_iter().map(|by| self.by(by).both()).sum()
    }

    /// Ports in TIME_WAIT, reusable or not.
    pub fn time_wait(&self) -> u32 {
        self.by(By::TimeWait).both() + self.by(By::TimeWaitReusable).both()
    }
}
