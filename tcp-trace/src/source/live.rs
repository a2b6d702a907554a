// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of this machine as they happen: from the ring buffer through decode and enrich.

use std::{collections::HashSet, io};

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use tcp_trace_common::{RawHeader, connect::RawConnect, kind, names};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{ring::Ring, totals::TotalsMaps, under_way::UnderWay};
use crate::{
    clock::{self, Anchor},
    decode::Decoder,
    enrich::{call_site::CallSites, cgroup::Cgroups, stacks::Stacks},
    event::Event,
    model::totals::Totals,
    probes::{attach::Attached, table::Signal},
};

/// A live source. The programs stay attached as long as the [`Attached`] that it was created from.
pub struct Live {
    ring: Ring,
    decoder: Decoder,
    cgroups: Cgroups,
    call_sites: CallSites,
    stacks: Stacks,
    under_way: UnderWay,
    totals: TotalsMaps,
    kernel_log: Option<EbpfLogger<&'static dyn log::Log>>,
}

/// Identity of an attempt: thread, process and start; a thread begins one attempt at a time.
type AttemptId = (u32, u64, u64);

fn id(raw: &RawConnect) -> AttemptId {
    (raw.tid, raw.start_ns, raw.search_start_ns)
}

impl Live {
    /// Takes the maps that it reads. Must be called within a runtime, which the ring buffer wakes.
    ///
    /// # Errors
    /// When the object lacks a map, or the ring buffer cannot be polled.
    pub fn start(attached: &mut Attached, decoder: Decoder) -> anyhow::Result<Self> {
        let kernel_log = if attached.logs { Some(EbpfLogger::init(&mut attached.ebpf)?) } else { None };
        let under_way = UnderWay::take(&mut attached.ebpf)?;
        let totals = TotalsMaps::take(attached)?;
        let ring = attached.ebpf.take_map(names::EVENTS).context("no map EVENTS in the object")?;
        let ring: RingBuf<MapData> = ring.try_into()?;
        let mut stacks = Stacks::default();
        if attached.tier(Signal::Stack).is_some() {
            stacks.prepare();
        }
        Ok(Self {
            under_way,
            totals,
            ring: Ring::new(ring)?,
            decoder,
            cgroups: Cgroups::find(),
            call_sites: CallSites::default(),
            stacks,
            kernel_log,
        })
    }

    /// Waits until the kernel side signals that much data is waiting. Small amounts need a call of
    /// [`read`](Self::read).
    ///
    /// # Errors
    /// When the ring buffer can no longer be polled.
    pub async fn woken(&mut self) -> io::Result<()> {
        self.ring.woken().await
    }

    /// Shows the waiting events one by one. If there are too many for one call, [`woken`](Self::woken) returns at once
    /// afterwards.
    ///
    /// # Errors
    /// The first error of `observe`.
    pub fn read<E>(&mut self, mut observe: impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        let Self { ring, decoder, cgroups, call_sites, stacks, .. } = self;
        ring.read(|raw| {
            event(decoder, cgroups, call_sites, raw).map_or(Ok(()), |event| stacks.pass(event, &mut observe))
        })?;
        stacks.show(&mut observe)
    }

    /// Number of events so far that could not be decoded.
    pub fn undecoded(&self) -> u64 {
        self.decoder.undecoded()
    }

    /// The kernel side's totals since the start, with names for these cgroups too.
    pub fn totals(&mut self, cgroups: impl Iterator<Item = u64>) -> Option<Totals> {
        let failed =
            |error: &_| tracing::warn!("the totals are those of an earlier moment: they cannot be read: {error:#}");
        let mut totals = self.totals.read().inspect_err(failed).ok()?;
        self.cgroups.name(&mut totals, cgroups);
        Some(totals)
    }

    /// Forwards the kernel side's log, if requested.
    pub fn log_kernel_side(&mut self) {
        if let Some(log) = &mut self.kernel_log {
            log.flush();
        }
    }

    /// Synchronises the two clocks again.
    pub fn set_clock(&mut self) {
        self.decoder.set_clock(Anchor::now());
    }

    /// Shows everything that is left at the end: events in the ring, then the attempts still in progress.
    ///
    /// # Errors
    /// The first error of `observe`.
    pub fn finish<E>(&mut self, mut observe: impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        let under_way = self.under_way.all();
        let mut ended = HashSet::new();
        let Self { ring, decoder, cgroups, call_sites, stacks, .. } = self;
        let mut show = |raw: &[u8]| {
            event(decoder, cgroups, call_sites, raw).map_or(Ok(()), |event| stacks.pass(event, &mut observe))
        };
        let mut more = true;
        while more {
            more = ring.read(|raw| {
                if let Ok((connect, _)) = RawConnect::ref_from_prefix(raw)
                    && connect.header.kind == kind::CONNECT
                {
                    ended.insert(id(connect));
                }
                show(raw)
            })?;
        }
        // An attempt that has not reached its search has no destination yet.
        let pending = under_way.into_iter().filter(|raw| raw.family != 0 && !ended.contains(&id(raw)));
        for mut raw in pending {
            raw.header = RawHeader {
                ktime_ns: clock::monotonic_ns(),
                kind: kind::CONNECT,
                size: size_of::<RawConnect>() as u16,
                pad: 0,
            };
            show(raw.as_bytes())?;
        }
        stacks.finish(&mut observe)
    }
}

fn event(decoder: &mut Decoder, cgroups: &mut Cgroups, call_sites: &mut CallSites, raw: &[u8]) -> Option<Event> {
    let mut event = decoder.decode(raw)?;
    cgroups.enrich(&mut event);
    call_sites.enrich(&mut event);
    Some(event)
}
