// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long CPUs worked, to the nanosecond.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result};

/// The field of a CPU's line in /proc/schedstat that sums the time that tasks other than the idle one ran.
const RUN_TIME: usize = 7;

/// Time for which any CPU ran a task since boot. What /proc/stat and /proc/uptime say of idling is rounded to 10 ms.
pub fn busy_ns() -> Result<u64> {
    // A task's time is added when it leaves the CPU, and this task's must be.
    thread::sleep(Duration::from_millis(1));
    let text = fs::read_to_string("/proc/schedstat").context("this kernel has no /proc/schedstat")?;
    let cpus = text.lines().filter(|line| line.starts_with("cpu"));
    let times = cpus.map(|line| line.split(' ').nth(RUN_TIME).and_then(|field| field.parse::<u64>().ok()));
    times.sum::<Option<u64>>().context("/proc/schedstat is not as it was in version 15 and later")
}

/// The same of the children of this process that have ended, to the microsecond.
pub fn children_ns() -> u64 {
    // SAFETY: all-zero is a valid `rusage`: integers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `rusage`. It fails for a bad pointer or a bad first argument only.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let ns = |time: libc::timeval| (time.tv_sec * 1_000_000_000 + time.tv_usec * 1000).cast_unsigned();
    ns(usage.ru_utime) + ns(usage.ru_stime)
}
