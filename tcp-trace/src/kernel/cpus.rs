// SPDX-License-Identifier: MIT OR Apache-2.0
//! The size of this machine.

/// Number of CPUs of this machine.
pub fn cpus() -> u32 {
    aya::util::nr_cpus().map_or(1, |cpus| cpus as u32)
}
