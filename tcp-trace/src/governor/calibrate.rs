// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures what tracing adds to a connect, with connects of tcp-trace itself before and after attaching, including the
//! path into a program. Used where the kernel's statistics are not available, and on request.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, RingBuf},
};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType, bind, connect, getsockname, socket},
};
use tcp_trace_common::{
    detail::{FOLD, FOLLOW_AGENT, RawDetail},
    names,
};

use super::{grace, instructions::Instructions};
use crate::{clock, model::accounts::Calibration};

/// Number of connects measured before and after attaching.
const CONNECTS: u32 = 64;
/// Number of connects that are not counted, because they find cold caches.
const WARM_UP: u32 = 16;

/// Medians of one set of connects.
#[derive(Clone, Copy, Debug)]
pub struct Medians {
    ns: u64,
    instructions: Option<u64>,
}

impl Medians {
    /// Measures connects before tracing begins.
    ///
    /// # Errors
    /// When loopback does not refuse them.
    pub fn before() -> anyhow::Result<Self> {
        measure()
    }

    /// Measures the same connects with programs attached. Afterwards none of them is left in the ring, and attempts are
    /// folded; counters must be read again as the new start.
    ///
    /// # Errors
    /// When loopback does not refuse them, or the object lacks a map.
    pub fn compare(self, ebpf: &mut Ebpf) -> anyhow::Result<Calibration> {
        set_detail(ebpf, FOLLOW_AGENT)?;
        let after = measure();
        set_detail(ebpf, FOLD)?;
        grace::period();
        let mut ring = RingBuf::try_from(ebpf.map_mut(names::EVENTS).context("no map EVENTS in the object")?)?;
        while ring.next().is_some() {}
        let after = after?;
        let added = |after: u64, before: u64| after as i64 - before as i64;
        Ok(Calibration {
            connects: CONNECTS,
            ns: added(after.ns, self.ns),
            instructions: after.instructions.zip(self.instructions).map(|(after, before)| added(after, before)),
        })
    }
}

fn set_detail(ebpf: &mut Ebpf, value: u64) -> anyhow::Result<()> {
    let map = ebpf.map_mut(names::DETAIL).context("no map DETAIL in the object")?;
    Ok(Array::<_, RawDetail>::try_from(map)?.set(0, RawDetail { word: value, ..RawDetail::default() }, 0)?)
}

fn measure() -> anyhow::Result<Medians> {
    // A bound port without listener: no other process uses it, and connects to it are refused.
    let closed = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&closed, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let address = SocketAddrV4::try_from(getsockname(&closed)?)?;
    let mut counter = Instructions::of_this_thread();
    let mut read = || counter.as_mut().and_then(Instructions::read);
    let (mut times, mut instructions) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + CONNECTS {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        let begin = read();
        let begin_ns = clock::monotonic_ns();
        let result = connect(&socket, &address);
        let end_ns = clock::monotonic_ns();
        let executed = read().zip(begin).map(|(end, begin)| end - begin);
        anyhow::ensure!(
            result == Err(Errno::CONNREFUSED),
            "a connect to a closed port of loopback returned {result:?}"
        );
        if number >= WARM_UP {
            times.push(end_ns.saturating_sub(begin_ns));
            instructions.extend(executed);
        }
    }
    let ns = median(&mut times).context("no connect was measured")?;
    Ok(Medians { ns, instructions: median(&mut instructions).filter(|_| instructions.len() == times.len()) })
}

fn median(values: &mut [u64]) -> Option<u64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!((median(&mut [9, 1, 5]), median(&mut [])), (Some(5), None));
    }

    #[test]
    fn loopback_refuses() {
        assert!(measure().expect("refused connects").ns > 0);
    }
}
