// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a live command asks: which signals it needs, and whether sockets are to be looked at.

use crate::probes::table::Signal;

/// One a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Why is connect() slow or failing?
    ConnectLatency,
    /// How far from the edge, and who holds the ports?
    Ports,
    /// Whose TIME_WAIT is it, and what comes of it?
    TimeWait,
    /// Who binds before connecting, and what does it leave behind?
    Bind,
    /// Which listener drops what, and why?
    Listen,
    /// How long do connections stay in each state, and who does not close?
    States,
    /// All of them: what is wrong here?
    Doctor,
}

impl Mode {
    /// The command's name.
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

    /// The signal that it is about; its tier stands in the answer.
    pub fn main_signal(self) -> Signal {
        match self {
            Self::ConnectLatency | Self::Ports | Self::Doctor => Signal::Connect,
            Self::TimeWait => Signal::TimeWait,
            Self::Bind => Signal::Bind,
            Self::Listen => Signal::Listen,
            Self::States => Signal::State,
        }
    }

    /// Everything that it needs, port probes apart.
    pub fn signals(self) -> Vec<Signal> {
        match self {
            Self::ConnectLatency => vec![Signal::Connect, Signal::TimeWait],
            // Which ports bind() marked is looked up by the bind signal's programs.
            Self::Ports => vec![Signal::Connect, Signal::TimeWait, Signal::Bind],
            Self::TimeWait => vec![Signal::TimeWait],
            Self::Bind => vec![Signal::Bind],
            // A SYN that is sent again is the other end of one that a listener dropped.
            Self::Listen => vec![Signal::Listen, Signal::Connect],
            Self::States => vec![Signal::State],
            Self::Doctor => vec![Signal::Connect, Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State],
        }
    }

    /// The one whose events are listed, if they are asked for.
    pub fn listed(self) -> Option<Signal> {
        match self {
            Self::ConnectLatency | Self::Ports | Self::Doctor => None,
            Self::TimeWait | Self::Bind | Self::Listen | Self::States => Some(self.main_signal()),
        }
    }

    /// Those whose events the answer itself rests on, listed or not: a drop is joined with the handshake that waited.
    pub fn joined(self) -> &'static [Signal] {
        match self {
            Self::Listen | Self::Doctor => &[Signal::Listen],
            _ => &[],
        }
    }

    /// Whether sockets as they are answer it, where nothing can be traced.
    pub fn is_answered_untraced(self) -> bool {
        matches!(self, Self::Ports | Self::TimeWait | Self::Listen | Self::Doctor)
    }

    /// Whether the answer rests on sockets as they are, too.
    pub fn surveys(self) -> bool {
        self != Self::ConnectLatency
    }
}
