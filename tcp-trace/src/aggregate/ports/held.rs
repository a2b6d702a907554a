// SPDX-License-Identifier: MIT OR Apache-2.0
//! What takes the ports of a range towards one destination: each port is counted once.

use super::range::{Halves, Range};
use crate::inventory::socket::{Socket, State};

/// What takes a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// A connection in use.
    Established,
    /// One that is being made.
    Opening,
    /// One that the peer closed and the application did not: CLOSE_WAIT.
    CloseWait,
    /// One that is being closed, a minisocket in FIN_WAIT2 included.
    Closing,
    /// TIME_WAIT that cannot be taken over now.
    TimeWait,
    /// TIME_WAIT that `connect()` may take over: not in the way.
    TimeWaitReusable,
    /// Reserved by `ip_local_reserved_ports`, for every destination.
    Reserved,
    /// A listener's port, skipped for every destination.
    Listening,
    /// Bound by somebody who is neither connected nor listening: skipped for every destination.
    Bound,
    /// Marked by a `bind()` of somebody who is connected elsewhere, or gone: skipped for every destination.
    Marked,
}

/// Ports by what takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held([Halves; By::ALL.len()]);

impl By {
    /// In the order in which they are shown.
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

    /// As every output spells it.
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

    /// What a connected socket counts as.
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

    /// Ports that this takes.
    pub fn by(&self, by: By) -> Halves {
        self.0[by as usize]
    }

    /// Ports that a search cannot have.
    pub fn taken(&self) -> Halves {
        let all = By::ALL.into_iter().filter(|by| *by != By::TimeWaitReusable).map(|by| self.by(by));
        all.fold(Halves::default(), |sum, more| Halves {
            first: sum.first + more.first,
            second: sum.second + more.second,
        })
    }

    /// Ports that a search can have.
    pub fn free(&self, range: Range) -> Halves {
        range.halves().minus(self.taken())
    }

    /// Connects until the first half is full, and each walks all of it; `None`: all is searched in one pass.
    pub fn to_cliff(&self, range: Range) -> Option<u32> {
        (!range.one_pass).then(|| self.free(range).first.saturating_sub(range.never_tried()))
    }

    /// Connects until there is no port at all.
    pub fn to_exhaustion(&self, range: Range) -> u32 {
        self.free(range).both().saturating_sub(range.never_tried())
    }

    /// Whether anything is taken by what every destination has in common: not by this one alone.
    pub fn in_common(&self) -> u32 {
        [By::Reserved, By::Listening, By::Bound, By::Marked].into_iter().map(|by| self.by(by).both()).sum()
    }

    /// Ports in TIME_WAIT, reusable or not.
    pub fn time_wait(&self) -> u32 {
        self.by(By::TimeWait).both() + self.by(By::TimeWaitReusable).both()
    }
}
