// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel side is told while it runs.

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

/// The map, and what is in it.
pub(super) struct Control {
    map: Array<MapData, RawDetail>,
    detail: RawDetail,
}

impl Control {
    /// Of this object, as it was left.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let map = ebpf.take_map(names::DETAIL).context("no map DETAIL in the object")?;
        let map: Array<MapData, RawDetail> = Array::try_from(map)?;
        let detail = map.get(&0, 0)?;
        Ok(Self { map, detail })
    }

    /// Bits of [`detail`](tcp_trace_common::detail).
    pub(super) fn word(&self) -> u64 {
        self.detail.word
    }

    /// How much is told: all bits but those that have a way of their own.
    pub(super) fn set(&mut self, word: u64) {
        self.detail.word = word | self.detail.word & (GENERATION | ASLEEP);
        self.write();
    }

    /// Whether the next event has to wake us.
    pub(super) fn sleep(&mut self, asleep: bool) {
        self.detail.word = self.detail.word & !ASLEEP | if asleep { ASLEEP } else { 0 };
        self.write();
    }

    /// From how long on an attempt is an exemplar, in all and of its search; 0: none is for that.
    pub(super) fn slow(&mut self, total_ns: u64, search_ns: u64) {
        if (self.detail.slow_total_ns, self.detail.slow_search_ns) != (total_ns, search_ns) {
            (self.detail.slow_total_ns, self.detail.slow_search_ns) = (total_ns, search_ns);
            self.write();
        }
    }

    /// Attempts are added up in this generation from now on; returns when none is added to the other one any more.
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
