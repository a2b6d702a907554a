// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the rest of the program speaks: owned values, times as wall clock, addresses as addresses.
//!
//! `None` means "not known on this tier, on this kernel, or for this attempt"; never 0.

mod address;
mod bind;
mod comm;
mod connect;
mod fields;
pub mod level;
mod listen;
mod stack;
mod state;
mod time_wait;

use std::fmt;

use jiff::Timestamp;
pub use tcp_trace_common::port_search::SourcePort;

pub use address::AddressExt;
pub use bind::Bind;
pub(crate) use bind::bind_fields;
pub use comm::Comm;
pub(crate) use connect::connect_fields;
pub use connect::{Candidates, Connect};
pub(crate) use listen::listen_drop_fields;
pub use listen::{DropCause, ListenDrop};
pub(crate) use stack::stack_fields;
pub use stack::{Captured, Frame, Frames, Stack, Taken, UserEnd};
pub(crate) use state::state_fields;
pub use state::{End, Side, State};
pub(crate) use time_wait::time_wait_fields;
pub use time_wait::{LeaveReason, Passage, TimeWait};

use self::level::Level;
use crate::outside::Text;

/// The signals that have events. Of each: the place of its table in recordings, its variant of [`Event`], the list of its
/// fields, and whether its events are `listed` in lines or only `drawn`. Places are part of the format, so a new signal takes the
/// next free one; 5 is the table of [`Event::Detail`].
macro_rules! signals {
    ($consumer:ident) => {
        $consumer! {
            0 Connect connect_fields listed;
            1 TimeWait time_wait_fields listed;
            2 ListenDrop listen_drop_fields listed;
            3 Bind bind_fields listed;
            4 State state_fields listed;
            6 Stack stack_fields drawn;
        }
    };
}
pub(crate) use signals;

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
    /// The detail of reports changes.
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

/// A change of the detail, and what was spent when it was decided, as shares of the machine.
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
