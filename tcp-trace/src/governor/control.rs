// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings of the kernel side that change during a run.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use tcp_trace_common::{
    detail::{ASLEEP, GENERATION, RawDetail},
    names,
};

use super::grace;

/// The map with settings, and its values.
pub(super) struct Control {
    map: Array<MapData, RawDetail>,
    detail: RawDetail,
}

impl Control {
    /// Takes the map out of the object, with its present values.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let map = ebpf.take_map(names::DETAIL).context("no map DETAIL in the object")?;
        let map: Array<MapData, RawDetail> = Array::try_from(map)?;
        let detail = map.get(&0, 0)?;
        Ok(Self { map, detail })
    }

    /// The bits of [`detail`](tcp_trace_common::detail).
    pub(super) fn word(&self) -> u64 {
        self.detail.word
    }

    /// Sets the detail: all bits except those with a setter of their own.
    pub(super) fn set(&mut self, word: u64) {
        self.detail.word = word | self.detail.word & (GENERATION | ASLEEP);
        self.write();
    }

    /// Sets whether the next event must wake the agent.
    pub(super) fn sleep(&mut self, asleep: bool) {
        self.detail.word = self.detail.word & !ASLEEP | if asleep { ASLEEP } else { 0 };
        self.write();
    }

    /// Sets the durations in ns from which on an attempt is an exemplar, in total and in its search; 0: none is.
    pub(super) fn slow(&mut self, total_ns: u64, search_ns: u64) {
        if (self.detail.slow_total_ns, self.detail.slow_search_ns) != (total_ns, search_ns) {
            (self.detail.slow_total_ns, self.detail.slow_search_ns) = (total_ns, search_ns);
            self.write();
        }
    }

    /// Makes programs add attempts to this generation; returns once none adds to the other one.
    pub(super) fn turn_to(&mut self, generation: u32) {
        self.detail.word = self.detail.word & !GENERATION | if generation == 0 { 0 } else { GENERATION };
        self.write();
        grace::period();
    }

    fn write(&mut self) {
        if let Err(error) = self.map.set(0, self.detail, 0) {
            tracing::warn!("cannot set the detail of the kernel side: {error}");
        }
    }
}
