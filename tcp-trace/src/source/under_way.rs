// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts that the kernel side follows at this moment.

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use tcp_trace_common::{
    attempts::{AttemptSet, WAYS},
    connect::RawConnect,
    names,
};

/// The table of attempts, `tcp_trace_common::attempts`.
pub struct UnderWay {
    sets: Array<MapData, AttemptSet>,
    attempts: Array<MapData, RawConnect>,
}

impl UnderWay {
    /// Takes the maps out of the object.
    pub fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let mut take = |name| ebpf.take_map(name).with_context(|| format!("no map {name} in the object"));
        Ok(Self {
            sets: Array::try_from(take(names::ATTEMPT_SETS)?)?,
            attempts: Array::try_from(take(names::ATTEMPTS)?)?,
        })
    }

    /// Copies of all attempts in progress. An attempt that ends meanwhile may be among them and in the ring buffer.
    pub fn all(&self) -> Vec<RawConnect> {
        let sets = self.sets.iter().zip(0_u32..).filter_map(|(set, number)| Some((set.ok()?, number)));
        sets.flat_map(|(set, number)| {
            let taken = set.sockets.into_iter().zip(number * WAYS..).filter(|(socket, _)| *socket != 0);
            taken.filter_map(|(_, place)| self.attempts.get(&place, 0).ok())
        })
        .collect()
    }
}
