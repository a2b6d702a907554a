// SPDX-License-Identifier: MIT OR Apache-2.0
//! One change of a socket's state.

use std::net::IpAddr;

use jiff::Timestamp;
use tcp_trace_common::{peer::side, tcp_state};

use super::{Cgroup, Comm, fields::structure};

// Columns of recordings come in another order than keys of JSON lines, so some fields have an entry for each.
/// The fields of a `state` event: `fields.rs` says how to read this list.
macro_rules! state_fields {
    ($consumer:ident) => {
        $consumer! {
            /// A socket went from one state to another.
            State "state" {
                /// When the state changed.
                "time" time: Timestamp;
                /// Process id of the socket's owner. Null if the owner is not known.
                "pid" => [.pid];
                /// Name of the owner's thread. Null if the owner is not known.
                "comm" => [.comm];
                /// cgroup v2 of the owner: its path, or `cgroup:` and its id where the path is not known. Null if the owner is
                /// not known.
                "cgroup" => [.cgroup];
                /// The state that the socket left, as the kernel numbers it.
                "from" from: u8 => recorded;
                /// The state that the socket entered, as the kernel numbers it.
                "to" to: u8 => recorded;
                /// How long the socket had been in the state that it left, in nanoseconds. Null if it entered that state before
                /// tracing began.
                "in_state_ns" in_state_ns: Option<u64> => recorded;
                /// How the connection ended, if it was not by FINs.
                "end" end: Option<End> => recorded;
                /// Inode number of the network namespace.
                "netns" netns: u32;
                /// Whether the connection was `opened` from here or `accepted` here.
                "side" side: Side;
                /// Address family on the wire: `ipv4` or `ipv6`.
                "family" => [.daddr.family()];
                /// Local address. Null until the kernel has chosen one.
                "saddr" saddr: IpAddr => [.saddr.chosen()];
                /// Local port. Null until the kernel has chosen one.
                "sport" sport: Option<u16>;
                /// Remote address.
                "daddr" daddr: IpAddr;
                /// Remote port.
                "dport" dport: u16;
                /// The state that the socket left; a number of the kernel's in recordings.
                "from" => [.from_name()];
                /// The state that the socket entered; a number of the kernel's in recordings.
                "to" => [.to_name()];
                /// How long the socket had been in the state that it left, in nanoseconds. Null if it entered that state before
                /// tracing began.
                "in_state_ns" => [.in_state_ns];
                /// How the connection ended: `linger_reset`, `unread_reset`, `peer_reset` or `timed_out`. Null if it did not
                /// end, or ended by FINs.
                "end" => [.end];
                /// Process id of the socket's owner.
                "pid" pid: Option<u32> => recorded;
                /// Name of the owner's thread.
                "comm" comm: Option<Comm> => recorded;
                /// cgroup v2 of the owner.
                "cgroup" cgroup: Option<Cgroup> => recorded;
            }
        }
    };
}
pub(crate) use state_fields;

state_fields!(structure);

impl State {
    /// Name of the state that the socket left; `None`: no state that a socket changes from.
    pub fn from_name(&self) -> Option<&'static str> {
        tcp_state::name(self.from)
    }

    /// Name of the state that the socket entered; `None`: no state that a socket changes to.
    pub fn to_name(&self) -> Option<&'static str> {
        tcp_state::name(self.to)
    }
}

/// How a connection ended, where that is more than by FINs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Its owner closed it with an SO_LINGER of 0 s.
    LingerReset,
    /// Its owner closed it before it had read all.
    UnreadReset,
    /// The peer sent a RST.
    PeerReset,
    /// The peer did not answer any more.
    TimedOut,
}

impl End {
    /// As every output spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LingerReset => "linger_reset",
            Self::UnreadReset => "unread_reset",
            Self::PeerReset => "peer_reset",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Which end of a connection is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// It was opened from here.
    Opened,
    /// It was accepted here.
    Accepted,
}

impl Side {
    /// As the kernel side writes it.
    pub fn from_kernel(raw: u8) -> Self {
        if raw == side::OPENED { Self::Opened } else { Self::Accepted }
    }

    /// As every output spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Accepted => "accepted",
        }
    }
}
