// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of this machine, as they happen: ring buffer -> decode -> enrich.

use std::{collections::HashSet, io};

use anyhow::Context as _;
use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use aya_log::EbpfLogger;
use bytes::Bytes;
use tcp_trace_common::{RawHeader, connect::RawConnect, kind, names, time_wait::RawTimeWaitTotals};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{losses::Losses, ring::Reader};
use crate::{
    clock::{self, Anchor},
    decode::Decoder,
    enrich::cgroup::Cgroups,
    event::Event,
    probes::attach::Attached,
};

/// A live source. The programs stay up as long as the [`Attached`] it was made from.
pub struct Live {
    reader: Reader,
    decoder: Decoder,
    cgroups: Cgroups,
    losses: Losses,
    attempts: HashMap<MapData, u64, RawConnect>,
    time_wait: HashMap<MapData, u32, RawTimeWaitTotals>,
    kernel_log: Option<EbpfLogger<&'static dyn log::Log>>,
}

/// What tells one attempt from another: a thread begins one at a time.
type AttemptId = (u32, u64, u64);

fn id(raw: &RawConnect) -> AttemptId {
    (raw.tid, raw.start_ns, raw.search_start_ns)
}

impl Live {
    /// Takes the maps that it reads from and starts reading.
    ///
    /// # Errors
    /// When the object has not the maps of the contract.
    pub fn start(attached: &mut Attached, decoder: Decoder) -> anyhow::Result<Self> {
        let kernel_log = if attached.logs { Some(EbpfLogger::init(&mut attached.ebpf)?) } else { None };
        let mut take = |name| attached.ebpf.take_map(name).with_context(|| format!("no map {name} in the object"));
        let ring: RingBuf<MapData> = take(names::EVENTS)?.try_into()?;
        Ok(Self {
            losses: Losses::new(PerCpuArray::try_from(take(names::COUNTERS)?)?),
            attempts: HashMap::try_from(take(names::ATTEMPTS)?)?,
            time_wait: HashMap::try_from(take(names::TIME_WAIT_TOTALS)?)?,
            reader: Reader::start(ring)?,
            decoder,
            cgroups: Cgroups::find(),
            kernel_log,
        })
    }

    /// The next events; `None` after [`finish`](Self::finish), once everything was read.
    pub async fn next(&mut self) -> Option<Vec<Event>> {
        let block = self.reader.next().await?;
        Some(self.decode(&block, |_| {}))
    }

    /// What was lost since the last call; `runs_missed` is the kernel's own count of programs that it did not run.
    pub fn losses(&mut self, runs_missed: Option<u64>) -> Option<Event> {
        match self.losses.since_last(runs_missed) {
            Ok(lost) => lost.map(Event::Lost),
            Err(error) => {
                tracing::warn!("cannot read the counters of losses: {error}");
                None
            }
        }
    }

    /// Totals of TIME_WAIT per network namespace.
    pub fn time_wait_totals(&self) -> Vec<(u32, RawTimeWaitTotals)> {
        // A namespace that vanishes while the map is walked is left out.
        self.time_wait.iter().filter_map(Result::ok).collect()
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

    /// Everything there is to say before the end: what the ring still holds, then the attempts still under way.
    pub async fn finish(&mut self) -> Vec<Event> {
        let under_way: Vec<RawConnect> = self.attempts.iter().filter_map(Result::ok).map(|(_, raw)| raw).collect();
        self.reader.finish();
        let mut events = Vec::new();
        let mut ended = HashSet::new();
        while let Some(block) = self.reader.next().await {
            events.extend(self.decode(&block, |raw| {
                ended.insert(id(raw));
            }));
        }
        for mut raw in under_way.into_iter().filter(|raw| !ended.contains(&id(raw))) {
            raw.header = RawHeader {
                ktime_ns: clock::monotonic_ns(),
                kind: kind::CONNECT,
                size: size_of::<RawConnect>() as u16,
                cpu: 0,
            };
            events.extend(self.decode(&Bytes::copy_from_slice(raw.as_bytes()), |_| {}));
        }
        events
    }

    /// Why reading ended before it was asked to.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.reader.failure()
    }

    fn decode(&mut self, block: &Bytes, mut seen: impl FnMut(&RawConnect)) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = &block[..];
        while let Ok((header, _)) = RawHeader::read_from_prefix(rest) {
            let Some((raw, after)) = rest.split_at_checked(usize::from(header.size).max(size_of::<RawHeader>())) else {
                break;
            };
            rest = after;
            if header.kind == kind::CONNECT
                && let Ok((connect, _)) = RawConnect::read_from_prefix(raw)
            {
                seen(&connect);
            }
            if let Some(mut event) = self.decoder.decode(raw) {
                self.cgroups.enrich(&mut event);
                events.push(event);
            }
        }
        events
    }
}
