// SPDX-License-Identifier: MIT OR Apache-2.0
//! One passage into or out of TIME_WAIT.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Comm, fields::structure};

/// The fields of a `time_wait` event: `fields.rs` says how to read this list.
macro_rules! time_wait_fields {
    ($consumer:ident) => {
        $consumer! {
            /// A passage into or out of TIME_WAIT.
            TimeWait "time_wait" {
                /// When the passage happened.
                "time" time: Timestamp;
                /// What happened: `enter`, `fin_received`, `reuse` (a `connect()` took the four-tuple over), `leave` or
                /// `overflow`. Recordings say in the same word why a minisocket left.
                "event" passage: Passage => [.passage.event()];
                /// Why a minisocket left: `expired`, `syn`, `reset` or `other`. Null for other events.
                "reason" => [.passage.reason()];
                /// State of the minisocket: `fin_wait2` or `time_wait`. Null unless it entered or the peer's FIN came.
                "substate" => [.passage.substate()];
                /// Inode number of the network namespace.
                "netns" netns: u32;
                /// Address family: `ipv4` or `ipv6`.
                "family" => [.daddr.family()];
                /// Local address.
                "saddr" saddr: IpAddr;
                /// Local port.
                "sport" sport: u16;
                /// Remote address.
                "daddr" daddr: IpAddr;
                /// Remote port.
                "dport" dport: u16;
                /// Process id of the process that closed first. Null if that is not known.
                "owner_pid" owner_pid: Option<u32>;
                /// Name of the thread that closed first. Null if that is not known.
                "owner_comm" owner_comm: Option<Comm>;
                /// How long the minisocket lived, in nanoseconds. Null unless it left and its entry was seen.
                "lived_ns" lived_ns: Option<u64>;
                /// Minisockets in this namespace after the event. Null if that is not known.
                "level" level: Option<u32>;
            }
        }
    };
}
pub(crate) use time_wait_fields;

time_wait_fields!(structure);

/// Into, out of, or not into TIME_WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passage {
    /// A minisocket was made, waiting for the peer's FIN (`FIN_WAIT2`) or already in TIME_WAIT.
    Enter {
        /// It still waits for the peer's FIN.
        fin_wait2: bool,
    },
    /// The peer's FIN came.
    FinReceived,
    /// It is gone, for this reason.
    Leave(LeaveReason),
    /// None was made: tcp_max_tw_buckets is reached.
    Overflow,
}

impl Passage {
    /// The event as outputs spell it. A four-tuple that a `connect()` took over has a word of its own.
    pub fn event(self) -> &'static str {
        match self {
            Self::Enter { .. } => "enter",
            Self::FinReceived => "fin_received",
            Self::Leave(LeaveReason::Reused) => "reuse",
            Self::Leave(_) => "leave",
            Self::Overflow => "overflow",
        }
    }

    /// Why a minisocket left, where `event` does not say it.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Leave(LeaveReason::Expired) => Some("expired"),
            Self::Leave(LeaveReason::Syn) => Some("syn"),
            Self::Leave(LeaveReason::Reset) => Some("reset"),
            Self::Leave(LeaveReason::Other) => Some("other"),
            Self::Leave(LeaveReason::Reused) | Self::Enter { .. } | Self::FinReceived | Self::Overflow => None,
        }
    }

    /// State of the minisocket after the event; the peer's FIN only ends `fin_wait2`.
    pub fn substate(self) -> Option<&'static str> {
        match self {
            Self::Enter { fin_wait2: true } => Some("fin_wait2"),
            Self::Enter { fin_wait2: false } | Self::FinReceived => Some("time_wait"),
            Self::Leave(_) | Self::Overflow => None,
        }
    }
}

/// Why a minisocket went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// Its timer ran out.
    Expired,
    /// A `connect()` took the four-tuple over.
    Reused,
    /// An incoming SYN did.
    Syn,
    /// A RST ended it.
    Reset,
    /// `ss -K`, or the namespace went away.
    Other,
}
