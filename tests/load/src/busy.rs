// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPU time, to the nanosecond.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result};

/// Field of a CPU's line in /proc/schedstat with the run time of tasks other than the idle one.
const RUN_TIME: usize = 7;

/// Time in ns for which any CPU ran a task since boot. The idle times of /proc/stat and /proc/uptime are rounded to 10
/// ms.
pub fn busy_ns() -> Result<u64> {
    // A task's time is added when it leaves the CPU, and this task's must be.
    thread::sleep(Duration::from_millis(1));
    let text = fs::read_to_string("/proc/schedstat").context("this kernel has no /proc/schedstat")?;
    let cpus = text.lines().filter(|line| line.starts_with("cpu"));
    let times = cpus.map(|line| line.split(' ').nth(RUN_TIME).and_then(|field| field.parse::<u64>().ok()));
    times.sum::<Option<u64>>().context("/proc/schedstat is not as it was in version 15 and later")
}

/// CPU time of ended children of this process, in ns, exact to the microsecond.
pub fn children_ns() -> u64 {
    // SAFETY: all-zero is a valid `rusage`: integers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `rusage`. It fails for a bad pointer or a bad first argument only.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let ns = |time: libc::timeval| (time.tv_sec * 1_000_000_000 + time.tv_usec * 1000).cast_unsigned();
    ns(usage.ru_utime) + ns(usage.ru_stime)
}
