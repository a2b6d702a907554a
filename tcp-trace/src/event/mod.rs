// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the rest of the program speaks: owned values, times as wall clock, addresses as addresses.
//!
//! `None` means "not known on this tier, on this kernel, or for this attempt"; never 0.

mod bind;
mod comm;
pub mod level;
mod listen;
mod stack;

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use tcp_trace_common::peer::side;
pub use tcp_trace_common::port_search::SourcePort;

pub use bind::Bind;
pub use comm::Comm;
pub use listen::{DropCause, ListenDrop};
pub use stack::{Captured, Frame, Frames, Stack, Taken, UserEnd};

use self::level::Level;
use crate::outside::Text;

/// One thing that happened. It owns all of itself, in place: the road carries one at a time, from the ring to its line.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An attempt of `connect()` ended.
    Connect(Connect),
    /// A passage into or out of TIME_WAIT.
    TimeWait(TimeWait),
    /// A listener dropped a SYN or a handshake.
    ListenDrop(ListenDrop),
    /// A `bind()` that needed a port.
    Bind(Bind),
    /// A socket went from one state to another.
    State(State),
    /// Who called `connect()`, frame by frame.
    Stack(Stack),
    /// Events or probes that were lost since the last such event.
    Lost(Lost),
    /// More or less is told from now on.
    Detail(Detail),
}

impl Event {
    /// When it happened; `None`: it is an account of what happened since the last such one.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Connect(connect) => Some(connect.time),
            Self::TimeWait(time_wait) => Some(time_wait.time),
            Self::ListenDrop(dropped) => Some(dropped.time),
            Self::Bind(bind) => Some(bind.time),
            Self::State(state) => Some(state.time),
            Self::Stack(stack) => Some(stack.time),
            Self::Detail(detail) => Some(detail.time),
            Self::Lost(_) => None,
        }
    }
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Process id (thread group).
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Name of the calling thread.
    pub comm: Comm,
    /// User id.
    pub uid: u32,
    /// Its cgroup v2.
    pub cgroup: Option<Cgroup>,
}

/// A cgroup v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// What the kernel calls it.
    pub id: u64,
    /// Path below the cgroup v2 root; `None`: it has none any more, or none that we may look up.
    pub path: Option<Text>,
}

impl Cgroup {
    /// Without a path; 0 is none.
    pub fn from_kernel(id: u64) -> Option<Self> {
        (id != 0).then_some(Self { id, path: None })
    }
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => f.pad(path),
            None => write!(f, "cgroup:{}", self.id),
        }
    }
}

/// One attempt of `connect()`, whatever its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// When it ended.
    pub time: Timestamp,
    /// When it began, on the monotonic clock: with the thread, which attempt it is.
    pub began_ns: Option<u64>,
    /// Who called `connect()`.
    pub caller: Caller,
    /// Inode of the socket's network namespace.
    pub netns: u32,
    /// Local address and port; the port is unknown before one is chosen.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: Option<u16>,
    /// Remote address. Its family is the family on the wire.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Positive errno that the caller saw or would have seen.
    pub errno: Option<i32>,
    /// Where the local port came from.
    pub source_port: Option<SourcePort>,
    /// Time in `__inet_hash_connect`.
    pub port_search_ns: Option<u64>,
    /// Candidates that the search looked at, the chosen one included.
    pub ports_visited: Option<u32>,
    /// Whether the search had to go through the other parity.
    pub second_pass: Option<bool>,
    /// The range searched, both ends included.
    pub range: Option<(u16, u16)>,
    /// From the end of the port search (tracepoint tier: from SYN_SENT) to the end of the attempt.
    pub handshake_ns: Option<u64>,
    /// SYNs sent again.
    pub syn_retransmits: Option<u32>,
    /// From the entry of `connect()` to the end of the attempt.
    pub total_ns: Option<u64>,
    /// Why candidates were refused, where the port probes were attached during the whole search.
    pub candidates: Option<Candidates>,
    /// A subflow of an MPTCP connection.
    pub mptcp: Option<bool>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The handshake was completed.
    Established,
    /// RST or ICMP port unreachable (ECONNREFUSED).
    Refused,
    /// No answer in time (ETIMEDOUT).
    TimedOut,
    /// Reset after the handshake had begun (ECONNRESET, ECONNABORTED).
    Reset,
    /// No route, or an ICMP error said so (ENETUNREACH, EHOSTUNREACH, …).
    Unreachable,
    /// The port search found no port (EADDRNOTAVAIL).
    NoPort,
    /// EADDRINUSE.
    PortInUse,
    /// A security module, a cgroup program or a rule forbade it (EPERM, EACCES).
    Denied,
    /// A signal interrupted `connect()`, and the socket was closed before the handshake ended.
    Interrupted,
    /// Closed by its owner before the handshake ended.
    Abandoned,
    /// Still under way when the tracing stopped.
    Pending,
}

/// Every outcome, in the order of the counts.
pub const OUTCOMES: [Outcome; 11] = [
    Outcome::Established,
    Outcome::Refused,
    Outcome::TimedOut,
    Outcome::Reset,
    Outcome::Unreachable,
    Outcome::NoPort,
    Outcome::PortInUse,
    Outcome::Denied,
    Outcome::Interrupted,
    Outcome::Abandoned,
    Outcome::Pending,
];

impl Outcome {
    /// As every output spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Reset => "reset",
            Self::Unreachable => "unreachable",
            Self::NoPort => "no_port",
            Self::PortInUse => "port_in_use",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
            Self::Pending => "pending",
        }
    }
}

/// Why candidates were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The four-tuple is in use by a live connection.
    pub in_use: u32,
    /// The four-tuple is in TIME_WAIT and can't be reused.
    pub time_wait: u32,
    /// A TIME_WAIT four-tuple was taken over.
    pub time_wait_reused: u32,
    /// Skipped without a test: reserved, or bound explicitly. `None` where the visits are not known.
    pub skipped: Option<u32>,
}

/// A passage into or out of TIME_WAIT.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeWait {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub passage: Passage,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Local address.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: u16,
    /// Remote address.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
    /// Process that closed first.
    pub owner_pid: Option<u32>,
    /// Its name.
    pub owner_comm: Option<Comm>,
    /// How long the minisocket lived.
    pub lived_ns: Option<u64>,
    /// Minisockets in this namespace afterwards.
    pub level: Option<u32>,
}

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

/// A socket went from one state to another.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// When it did.
    pub time: Timestamp,
    /// The state that it left, as the kernel numbers it.
    pub from: u8,
    /// The state that it entered.
    pub to: u8,
    /// How long it had been in the one that it left.
    pub in_state_ns: Option<u64>,
    /// How it ended, where that is more than by FINs.
    pub end: Option<End>,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Which end is here.
    pub side: Side,
    /// Local address.
    pub saddr: IpAddr,
    /// Local port.
    pub sport: Option<u16>,
    /// Remote address.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
    /// Owner.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<Comm>,
    /// Its cgroup v2.
    pub cgroup: Option<Cgroup>,
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

/// What was lost since the last such event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events that found the ring buffer full.
    pub ring_buffer: u64,
    /// Attempts that found a map full.
    pub map_full: u64,
    /// Probes that did not fire (kretprobe without a free instance, recursion).
    pub missed: u64,
}

impl Lost {
    /// More of it.
    pub fn add(&mut self, more: Self) {
        self.ring_buffer += more.ring_buffer;
        self.map_full += more.map_full;
        self.missed += more.missed;
    }

    /// Events that there would have been for sure.
    pub fn events(&self) -> u64 {
        self.ring_buffer + self.map_full
    }
}

/// A change of what is told, and what was spent when it was decided, as shares of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// When it was decided.
    pub time: Timestamp,
    /// Told until now.
    pub before: Level,
    /// Told from now on.
    pub after: Level,
    /// Spent in the programs.
    pub programs_share: Option<f64>,
    /// Spent in the agent.
    pub agent_share: f64,
    /// Allowed.
    pub budget: f64,
}
