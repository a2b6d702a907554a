// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel side's totals of `bind()`.

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
use crate::{
    enrich::call_site::CallSites,
    model::{
        folded::FoldedPhase,
        totals::{BindSite, BindTotals},
    },
};

/// The maps of the bind signal.
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

    /// Takes the processes that were merged since the last call, each with the one that holds its totals now.
    pub(super) fn merged(&mut self) -> Vec<(RawBinder, RawBinder)> {
        self.totals.merged()
    }

    pub(super) fn read(&mut self) -> anyhow::Result<BindTotals> {
        let Self { totals, sites, times, names } = self;
        let sites = sites.read()?.into_iter().map(|(site, calls)| BindSite {
            pid: site.tgid,
            any_port: site.any_port != 0,
            name: names.name(site.tgid, &site.frames),
            calls,
        });
        Ok(BindTotals {
            sites: sites.collect(),
            binders: totals.read()?,
            any_port: times_of(times, ANY_PORT)?,
            a_port: times_of(times, A_PORT)?,
        })
    }
}

fn times_of(times: &PerCpuArray<MapData, RawHistogram>, slot: u32) -> anyhow::Result<FoldedPhase> {
    let per_cpu = times.get(&slot, 0)?;
    let mut buckets = vec![0; BUCKETS];
    for histogram in per_cpu.iter() {
        for (sum, count) in buckets.iter_mut().zip(histogram.buckets) {
            *sum += count;
        }
    }
    Ok(FoldedPhase { buckets, max: per_cpu.iter().map(|histogram| histogram.max).max().unwrap_or(0) })
}
