// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects timed one by one.

use anyhow::{Result, ensure};
use connect_load::Timed;
use rustix::time::{ClockId, clock_gettime};

use crate::sockets::Destination;

/// Number of connects between two calls that accept waiting connections.
const BATCH: u32 = 256;

pub fn run(destination: &Destination, connects: u32) -> Result<Timed> {
    ensure!(connects > 0, "no connect to time");
    let mut times = Vec::with_capacity(connects as usize);
    let mut errors = 0;
    let begin = now_ns();
    for number in 1..=connects {
        let socket = destination.client()?;
        let before = now_ns();
        let result = destination.connect_in_turn(&socket, number);
        times.push(now_ns() - before);
        errors += u32::from(result.is_err());
        drop(socket);
        if number % BATCH == 0 || number == connects {
            drop(destination.accept_all()?);
        }
    }
    let total_ns = now_ns() - begin;
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1000];
    Ok(Timed {
        connects,
        errors,
        median_ns: at(500),
        mean_ns: times.iter().sum::<u64>() / u64::from(connects),
        p99_ns: at(990),
        total_ns,
    })
}

pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // A monotonic clock is never negative.
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
