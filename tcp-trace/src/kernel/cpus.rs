// SPDX-License-Identifier: MIT OR Apache-2.0
//! How large this machine is.

/// CPUs of this machine.
pub fn cpus() -> u32 {
    aya::util::nr_cpus().map_or(1, |cpus| cpus as u32)
}
