// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel side added up about `bind()`.

use std::sync::Arc;

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
};
use tcp_trace_common::{
    bind::{A_PORT, ANY_PORT, RawBindSite, RawBindTotals, RawBinder},
    folded::{BUCKETS, RawHistogram},
    names,
};

use super::retired::Retiring;
use crate::{aggregate::folded::FoldedPhase, enrich::call_site::CallSites};

/// Since the start.
#[derive(Clone, Debug, Default)]
pub struct BindTotals {
    /// By process and network namespace.
    pub binders: Vec<(RawBinder, RawBindTotals)>,
    /// Places in programs that bind.
    pub sites: Vec<BindSite>,
    /// Time in binds to port 0.
    pub any_port: FoldedPhase,
    /// Time in binds to a port of their own.
    pub a_port: FoldedPhase,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSite {
    /// In which process.
    pub pid: u32,
    /// Binds to port 0.
    pub any_port: bool,
    /// In words; `None`: not known.
    pub name: Option<Arc<str>>,
    /// Binds from there.
    pub calls: u64,
}

/// The maps.
pub(super) struct BindMaps {
    totals: Retiring<RawBinder, RawBindTotals>,
    sites: Retiring<RawBindSite, u64>,
    times: PerCpuArray<MapData, RawHistogram>,
    names: CallSites,
}

impl BindMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let times = ebpf.take_map(names::BIND_TIMES).context("no map BIND_TIMES in the object")?;
        Ok(Self {
            totals: Retiring::take(ebpf, names::BIND_TOTALS)?,
            sites: Retiring::take(ebpf, names::BIND_SITES)?,
            times: PerCpuArray::try_from(times)?,
            names: CallSites::default(),
        })
    }

    pub(super) fn read(&mut self) -> BindTotals {
        let Self { totals, sites, times, names } = self;
        let sites = sites.read().into_iter().map(|(site, calls)| BindSite {
            pid: site.tgid,
            any_port: site.any_port != 0,
            name: names.name(site.tgid, &site.frames),
            calls,
        });
        BindTotals {
            binders: totals.read(),
            sites: sites.collect(),
            any_port: times_of(times, ANY_PORT),
            a_port: times_of(times, A_PORT),
        }
    }
}

fn times_of(times: &PerCpuArray<MapData, RawHistogram>, slot: u32) -> FoldedPhase {
    let Ok(per_cpu) = times.get(&slot, 0) else { return FoldedPhase::default() };
    let mut buckets = vec![0; BUCKETS];
    for histogram in per_cpu.iter() {
        for (sum, count) in buckets.iter_mut().zip(histogram.buckets) {
            *sum += count;
        }
    }
    FoldedPhase { buckets, max: per_cpu.iter().map(|histogram| histogram.max).max().unwrap_or(0) }
}
