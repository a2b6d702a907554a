// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every program of the kernel side: for which signal, on which tier, on which hook. Adding a program or a tier is a row
//! in the file of its signal, never an `if` elsewhere.

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

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tier::Tier;

/// A question that programs answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// How long does a `connect()` take, and how does it end?
    Connect,
    /// Why were candidates refused in the port search?
    PortProbes,
    /// What goes into TIME_WAIT, what comes out and why?
    TimeWait,
    /// How long does a `bind()` search for a port, and what does it leave behind?
    Bind,
    /// What becomes of the SYNs that reach a listener?
    Listen,
    /// How long does the kernel look for the listener of a SYN?
    ListenerLookup,
    /// How long do connections stay in each state, and who closes how?
    State,
    /// From where in its program does who call `connect()`?
    Stack,
    /// What does a CPU do within `connect()`?
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
    /// At the return: only the return value, and only while a free instance is left.
    Kretprobe,
    /// A tracepoint's own arguments, of which the verifier knows the types.
    BtfTracepoint,
    /// A tracepoint's own arguments; needs no tracefs.
    RawTracepoint,
    /// A tracepoint's record; needs tracefs for its id.
    Tracepoint {
        /// Its folder under `events/`.
        category: &'static str,
    },
    /// Run for each object of a kind when a file is read: loaded only.
    Iterator,
    /// Whenever a CPU has run for so long.
    Clock,
}

impl Kind {
    /// The kernel's BTF says what it hooks.
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Fentry | Self::Fexit | Self::BtfTracepoint | Self::Iterator)
    }
}

/// Whether a tier does without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The tier is nothing without it.
    Required,
    /// The tier works, and this is what is lost.
    Optional(&'static str),
    /// Required, but the kernel may be built without what it hooks, and then this is lost.
    IfPresent(&'static str),
    /// Only where the signal's events are asked for.
    Events,
    /// Where it cannot be had, the program behind it, on the same hook, takes its place; where it can, that one is left
    /// out.
    OrNext,
}

/// One program and its hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object. A kprobe program may stand on several hooks; one for a trampoline is made for one.
    pub name: &'static str,
    /// Kernel function or tracepoint.
    pub hook: &'static str,
    /// How it is attached.
    pub kind: Kind,
    /// Whether the tier does without it.
    pub need: Need,
    /// Parameters that its hook has, where that decides which of several programs fits.
    pub params: Option<u16>,
}

/// One way to answer a signal.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// The tier.
    pub tier: Tier,
    /// In the order in which they are attached: exits before entries, so that no entry is left without its exit.
    pub programs: &'static [Program],
    /// What it cannot tell, compared with the best; empty for the best.
    pub limitations: &'static str,
}

/// The ways to answer a signal, best first.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The signal.
    pub signal: Signal,
    /// Best first.
    pub alternatives: &'static [Alternative],
}

const fn program(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: Need::Required, params: None }
}

const fn optional(name: &'static str, hook: &'static str, kind: Kind, limitations: &'static str) -> Program {
    Program { name, hook, kind, need: Need::Optional(limitations), params: None }
}

/// A program on a function of IPv6.
const fn ipv6(name: &'static str, hook: &'static str, kind: Kind) -> Program {
    Program { name, hook, kind, need: NO_IPV6, params: None }
}

/// An exit program that fits a hook with so many parameters: the return value comes behind them.
const fn variant(name: &'static str, hook: &'static str, params: u16) -> Program {
    Program { name, hook, kind: Kind::Fexit, need: Need::Required, params: Some(params) }
}

/// An entry program that fits a hook with so many parameters.
const fn probe(name: &'static str, hook: &'static str, params: u16, need: Need) -> Program {
    Program { name, hook, kind: Kind::Fentry, need, params: Some(params) }
}

const NO_IPV6: Need = Need::IfPresent("IPv6 is not traced");

/// Every signal.
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
