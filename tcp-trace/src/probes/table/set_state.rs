// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that several signals share: one program per tier runs at each change of state.

use tcp_trace_common::set_state::{BIND, CONNECT, STATE};

use super::{Kind, Program, Signal, program};

const HOOK: &str = "inet_sock_set_state";

pub(super) const SET_STATE_FENTRY: Program = program("set_state_fentry", HOOK, Kind::BtfTracepoint);
pub(super) const SET_STATE_KPROBE: Program = program("set_state_kprobe", HOOK, Kind::RawTracepoint);
pub(super) const SET_STATE_TRACEPOINT: Program = program("set_state_tp", HOOK, Kind::RawTracepoint);

/// The bit of a signal that needs changes of state.
pub fn bit(signal: Signal) -> Option<u64> {
    match signal {
        Signal::Connect => Some(CONNECT),
        Signal::State => Some(STATE),
        Signal::Bind => Some(BIND),
        _ => None,
    }
}

impl Program {
    /// Whether other signals use this program too.
    pub fn is_shared(&self) -> bool {
        [SET_STATE_FENTRY, SET_STATE_KPROBE, SET_STATE_TRACEPOINT].iter().any(|shared| shared.name == self.name)
    }
}
