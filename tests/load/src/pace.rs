// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects at a steady rate.

use std::{thread, time::Duration};

use anyhow::{Result, anyhow};
use rustix::io::Errno;
use serde::Serialize;

use crate::{sockets::Destination, timing::now_ns};

/// Length of a time slice; the connects of a slice are made together.
const SLICE: Duration = Duration::from_millis(1);

/// Result of a run at a steady rate.
#[derive(Debug, Default, Serialize)]
pub struct Paced {
    pub connects: u64,
    pub errors: u64,
    /// Number of connects that the machine was too slow for.
    pub not_made: u64,
    pub total_ns: u64,
    pub connects_per_second: u64,
}

pub fn run(destination: &Destination, rate: u32, length: Duration, threads: u32) -> Result<Paced> {
    let begin = now_ns();
    let counts: Result<Vec<_>> = thread::scope(|scope| {
        let share = |number: u32| u64::from(rate / threads + u32::from(number < rate % threads));
        let start = |number| scope.spawn(move || paced(destination, share(number), length));
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    });
    let total_ns = now_ns() - begin;
    let mut all = Paced { total_ns, ..Paced::default() };
    for (connects, errors) in counts? {
        all.connects += connects;
        all.errors += errors;
    }
    all.not_made = (u64::from(rate) * length.as_secs()).saturating_sub(all.connects);
    all.connects_per_second = (u128::from(all.connects) * 1_000_000_000 / u128::from(total_ns.max(1))) as u64;
    Ok(all)
}

/// Makes the connects that are due, slice by slice, until the time is up.
fn paced(destination: &Destination, rate: u64, length: Duration) -> Result<(u64, u64)> {
    let length_ns = length.as_nanos() as u64;
    // The last slice may come late.
    let patience_ns = length_ns + 10 * SLICE.as_nanos() as u64;
    let begin = now_ns();
    let (mut made, mut errors) = (0, 0);
    loop {
        let passed = (now_ns() - begin).min(length_ns);
        let due = (u128::from(rate) * u128::from(passed) / 1_000_000_000) as u64;
        while made < due && now_ns() - begin < patience_ns {
            errors += u64::from(once(destination).is_err());
            made += 1;
            if made % 64 == 0 {
                drop(destination.accept_all()?);
            }
        }
        drop(destination.accept_all()?);
        if passed >= length_ns {
            return Ok((made, errors));
        }
        thread::sleep(SLICE);
    }
}

fn once(destination: &Destination) -> Result<(), Errno> {
    destination.connect(&destination.client()?)
}
