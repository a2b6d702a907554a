// SPDX-License-Identifier: MIT OR Apache-2.0
//! Held connections, which take local ports towards the destination.

use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result};

use crate::{
    ground::{Ground, Range},
    sockets::Destination,
};

/// Number of ports that are filled at a time once the first parity is full. Without that, each connect would walk all
/// of it, and filling would take far longer than measuring.
const WINDOW: u32 = 64;

/// Both ends of all held connections.
pub struct Crowd {
    _ends: Vec<OwnedFd>,
}

impl Crowd {
    /// Takes this share of the range: the first half as any program would, the rest evenly spread.
    pub fn fill(ground: &Ground, destination: &Destination, percent: u32) -> Result<Self> {
        let range = ground.range;
        let half = range.ports() / 2;
        let target = range.ports() * percent / 100;
        let mut ends = Vec::new();
        let mut hold = |count: u32| -> Result<()> {
            for _ in 0..count {
                let taken = ends.len();
                ends.push(destination.hold().with_context(|| held_only(taken, target))?);
            }
            Ok(())
        };
        hold(target.min(half))?;
        let rest = target.saturating_sub(half);
        for low in (range.low..range.low + half * 2).step_by(WINDOW as usize) {
            let until = |port: u32| rest * ((port - range.low) / 2) / half;
            let high = (low + WINDOW - 1).min(range.high);
            let wanted = until(high + 1) - until(low);
            if wanted > 0 {
                ground.narrow(Range { low, high })?;
                hold(wanted)?;
            }
        }
        ground.widen()?;
        let taken = ends.len();
        ends.extend(destination.accept_all().with_context(|| held_only(taken, target))?);
        Ok(Self { _ends: ends })
    }
}

fn held_only(taken: usize, target: u32) -> String {
    let files = target * 2;
    format!("{taken} of {target} connections are held; they take {files} open files, so try: ulimit -n {}", files + 64)
}
