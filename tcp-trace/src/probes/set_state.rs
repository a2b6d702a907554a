// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which signals need changes of state, by tier: the shared program of a tier is attached for the first of them, and
//! detached with the last.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use tcp_trace_common::{
    names,
    set_state::{FENTRY, KPROBE, TRACEPOINT},
};

use super::{
    plan::Plan,
    table::{Signal, set_state::bit},
    tier::Tier,
};

/// The map with one word, and its value.
pub struct SetState {
    map: Array<MapData, u64>,
    on: u64,
}

/// The signals of a plan that need changes of state; the verifier removes the code of the others.
pub fn requested(plan: &Plan) -> u32 {
    plan.signals.iter().filter_map(|planned| bit(planned.signal)).fold(0, |bits, bit| bits | bit as u32)
}

fn shift(tier: Tier) -> u32 {
    match tier {
        Tier::Fentry => FENTRY,
        Tier::Kprobe => KPROBE,
        Tier::Tracepoint => TRACEPOINT,
    }
}

impl SetState {
    /// Takes the map out of the object; no signal is set yet.
    ///
    /// # Errors
    /// When the object lacks the map.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        let map = ebpf.take_map(names::SET_STATE);
        let map = map.ok_or_else(|| MapError::InvalidName { name: names::SET_STATE.to_owned() })?;
        Ok(Self { map: Array::try_from(map)?, on: 0 })
    }

    /// Whether any signal needs changes of state on this tier.
    pub fn is_on(&self, tier: Tier) -> bool {
        self.on >> shift(tier) & u64::from(u8::MAX) != 0
    }

    /// Sets whether a signal needs changes of state on a tier.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn set(&mut self, signal: Signal, tier: Tier, looks: bool) -> anyhow::Result<()> {
        let bit = bit(signal).unwrap_or(0) << shift(tier);
        self.on = if looks { self.on | bit } else { self.on & !bit };
        self.map.set(0, self.on, 0).context("cannot tell the kernel side which signals need changes of state")
    }
}
