// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a live command needs: which signals, and whether sockets are read.

use crate::probes::table::Signal;

/// The question of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Why is connect() slow or failing?
    ConnectLatency,
    /// How far are we from the cliff, and who holds the ports?
    Ports,
    /// Who creates the TIME_WAIT sockets, and are their ports reusable?
    TimeWait,
    /// Which program binds before connecting, and which ports stay marked?
    Bind,
    /// Which listener drops SYNs or handshakes, and why?
    Listen,
    /// How long do connections stay in each state, and which process does not close?
    States,
    /// What is wrong here? Uses all signals.
    Doctor,
}

impl Mode {
    /// Name of the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectLatency => "connect-latency",
            Self::Ports => "ports",
            Self::TimeWait => "time-wait",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::States => "states",
            Self::Doctor => "doctor",
        }
    }

    /// The main signal, whose tier the report shows.
    pub fn main_signal(self) -> Signal {
        match self {
            Self::ConnectLatency | Self::Ports | Self::Doctor => Signal::Connect,
            Self::TimeWait => Signal::TimeWait,
            Self::Bind => Signal::Bind,
            Self::Listen => Signal::Listen,
            Self::States => Signal::State,
        }
    }

    /// All signals that it needs, except port probes.
    pub fn signals(self) -> Vec<Signal> {
        match self {
            Self::ConnectLatency => vec![Signal::Connect, Signal::TimeWait],
            // The bind signal's programs read which ports are marked.
            Self::Ports => vec![Signal::Connect, Signal::TimeWait, Signal::Bind],
            Self::TimeWait => vec![Signal::TimeWait],
            Self::Bind => vec![Signal::Bind],
            // A retransmitted SYN is the other end of one that a listener dropped.
            Self::Listen => vec![Signal::Listen, Signal::Connect],
            Self::States => vec![Signal::State],
            Self::Doctor => vec![Signal::Connect, Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State],
        }
    }

    /// The signal whose events are listed on request.
    pub fn listed(self) -> Option<Signal> {
        match self {
            Self::ConnectLatency | Self::Ports | Self::Doctor => None,
            Self::TimeWait | Self::Bind | Self::Listen | Self::States => Some(self.main_signal()),
        }
    }

    /// Signals whose events the report itself needs: a drop is joined with the handshake that waited.
    pub fn joined(self) -> &'static [Signal] {
        match self {
            Self::Listen | Self::Doctor => &[Signal::Listen],
            _ => &[],
        }
    }

    /// Whether sockets alone yield a report, where nothing can be traced.
    pub fn is_answered_untraced(self) -> bool {
        matches!(self, Self::Ports | Self::TimeWait | Self::Listen | Self::Doctor)
    }

    /// Whether the report uses sockets too.
    pub fn surveys(self) -> bool {
        self != Self::ConnectLatency
    }
}
