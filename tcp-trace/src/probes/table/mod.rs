// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every program of the kernel side: its signal, tier and hook. A new program or tier is a row in the file of its
//! signal, never an `if` elsewhere.

mod bind;
mod connect;
mod listen;
mod listener_lookup;
mod port_probes;
pub mod set_state;
mod stack;
mod state;
mod time_wait;

pub use bind::MARKS;
pub use connect::{Uncertain, uncertain_outcomes};

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tier::Tier;

/// A kind of observation that programs make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Duration and outcome of each `connect()`.
    Connect,
    /// Why the port search refused candidates.
    PortProbes,
    /// What enters TIME_WAIT, what leaves it, and why.
    TimeWait,
    /// Duration of the port search of each `bind()`, and the marks that it leaves.
    Bind,
    /// What happens to the SYNs that reach a listener.
    Listen,
    /// Duration of the kernel's lookup of a SYN's listener.
    ListenerLookup,
    /// Time of connections in each state, and how they end.
    State,
    /// Call stacks of `connect()`.
    Stack,
    /// Samples of what a CPU executes within `connect()`.
    OnCpu,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connect => "connect",
            Self::PortProbes => "port_probes",
            Self::TimeWait => "time_wait",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::ListenerLookup => "listener_lookup",
            Self::State => "state",
            Self::Stack => "stack",
            Self::OnCpu => "on_cpu",
        })
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At the entry, by BPF trampoline.
    Fentry,
    /// At the exit, by BPF trampoline: arguments and return value.
    Fexit,
    /// At the entry, by breakpoint or ftrace.
    Kprobe,
    /// At the return: only the return value, and only while an instance is free.
    Kretprobe,
    /// Arguments of a tracepoint, with types that the verifier knows.
    BtfTracepoint,
    /// Arguments of a tracepoint; needs no tracefs.
    RawTracepoint,
    /// Record of a tracepoint; needs tracefs for its id.
    Tracepoint {
        /// Folder of the tracepoint under `events/`.
        category: &'static str,
    },
    /// Runs for each object of a kind when a file is read: loaded only.
    Iterator,
    /// Runs whenever a CPU has executed for one period.
    Clock,
}

impl Kind {
    /// Whether the hook is resolved by the kernel's BTF.
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Fentry | Self::Fexit | Self::BtfTracepoint | Self::Iterator)
    }
}

/// Whether a tier works without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The tier needs it.
    Required,
    /// The tier works without it, with this limitation.
    Optional(&'static str),
    /// Required, unless the kernel was built without its hook; then the tier has this limitation.
    IfPresent(&'static str),
    /// Needed only if events of the signal are requested.
    Events,
    /// If it cannot be attached, the next program, on the same hook, is used instead; otherwise the next one is
    /// skipped.
    OrNext,
}

/// One program and its hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object. One kprobe program may have several hooks; a trampoline program has one.
    pub name: &'static str,
    /// Kernel function or tracepoint.
    pub hook: &'static str,
    /// How it is attached.
    pub kind: Kind,
    /// Whether the tier works without it.
    pub need: Need,
    /// Number of parameters of its hook, where that selects one of several programs.
    pub params: Option<u16>,
}

/// One tier of a signal.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// The tier.
    pub tier: Tier,
    /// Programs in the order of attachment: exits before entries, so that no entry lacks its exit.
    pub programs: &'static [Program],
    /// Limitation compared with the best tier; empty for the best.
    pub limitations: &'static str,
}

/// The tiers of a signal, best first.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The signal.
    pub signal: Signal,
    /// Tiers, best first.
    pub alternatives: &'static [Alternative],
}

const fn program(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: Need::Required, params: None }
}

const fn optional(name: &'static str, hook: &'static str, kind: Kind, limitations: &'static str) -> Program {
    Program { name, hook, kind, need: Need::Optional(limitations), params: None }
}

/// A program on an IPv6 function.
const fn ipv6(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: NO_IPV6, params: None }
}

/// An exit program for a hook with `params` parameters, which precede the return value.
const fn variant(name: &'static str, hook: &'static str, params: u16) -> Program {
    Program { name, hook, kind: Kind::Fexit, need: Need::Required, params: Some(params) }
}

/// An entry program for a hook with `params` parameters.
const fn probe(name: &'static str, hook: &'static str, params: u16, need: Need) -> Program {
    Program { name, hook, kind: Kind::Fentry, need, params: Some(params) }
}

const NO_IPV6: Need = Need::IfPresent("IPv6 is not traced");

/// All signals.
pub const SIGNALS: &[Row] = &[
    connect::ROW,
    port_probes::ROW,
    time_wait::ROW,
    bind::ROW,
    listen::ROW,
    listener_lookup::ROW,
    state::ROW,
    stack::ROW,
    stack::ON_CPU,
];

#[cfg(test)]
mod tests;
