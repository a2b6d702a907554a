// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of this machine, as they happen: ring buffer -> decode -> enrich.

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

/// A live source. The programs stay up as long as the [`Attached`] it was made from.
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

/// What tells one attempt from another: a thread begins one at a time.
type AttemptId = (u32, u64, u64);

fn id(raw: &RawConnect) -> AttemptId {
    (raw.tid, raw.start_ns, raw.search_start_ns)
}

impl Live {
    /// Takes the maps that it reads from. Within a runtime: it is the runtime that is woken.
    ///
    /// # Errors
    /// When the object has not the maps of the contract, or the ring buffer cannot be waited for.
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

    /// Until the kernel side says that much is waiting. What is little has to be looked for with [`read`](Self::read).
    ///
    /// # Errors
    /// When the ring buffer can no longer be waited for.
    pub async fn woken(&mut self) -> io::Result<()> {
        self.ring.woken().await
    }

    /// Shows the events that wait, one by one. Those that are too many for one go make [`woken`](Self::woken) come back
    /// at once.
    ///
    /// # Errors
    /// The first of `observe`.
    pub fn read<E>(&mut self, mut observe: impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        let Self { ring, decoder, cgroups, call_sites, stacks, .. } = self;
        ring.read(|raw| {
            event(decoder, cgroups, call_sites, raw).map_or(Ok(()), |event| stacks.pass(event, &mut observe))
        })?;
        stacks.show(&mut observe)
    }

    /// Events so far that could not be decoded.
    pub fn undecoded(&self) -> u64 {
        self.decoder.undecoded()
    }

    /// What the kernel side added up since the start, with names for these cgroups, too. `None`: it cannot be read, so what is
    /// known of it stays that of an earlier moment.
    pub fn totals(&mut self, cgroups: impl Iterator<Item = u64>) -> Option<Totals> {
        let failed =
            |error: &_| tracing::warn!("the totals are those of an earlier moment: they cannot be read: {error:#}");
        let mut totals = self.totals.read().inspect_err(failed).ok()?;
        self.cgroups.name(&mut totals, cgroups);
        Some(totals)
    }

    /// Passes on what the kernel side logged, if it was asked to.
    pub fn log_kernel_side(&mut self) {
        if let Some(log) = &mut self.kernel_log {
            log.flush();
        }
    }

    /// Ties the clocks together anew.
    pub fn set_clock(&mut self) {
        self.decoder.set_clock(Anchor::now());
    }

    /// Shows everything there is to say before the end: what the ring still holds, then the attempts still under way.
    ///
    /// # Errors
    /// The first of `observe`.
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
        // One that has not come to its search yet has no destination to be told by.
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
