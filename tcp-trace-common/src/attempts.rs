// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of attempts under way: sets of eight places, and a socket has the choice of one set.
//!
//! It stands in for a BPF hash map, whose insert and removal take locks and lists that cost more than all else that is
//! done about a `connect()`. An attempt is at the same place of the array `ATTEMPTS` as its socket in `ATTEMPT_SETS`.

/// Places of a set.
pub const WAYS: u32 = 8;

/// One element of the array `ATTEMPT_SETS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptSet {
    /// Who counts a place from 0 to 1 has it.
    pub claims: [u64; WAYS as usize],
    /// Address of the socket whose attempt is there, written last; 0 = none.
    pub sockets: [u64; WAYS as usize],
}

/// Sets for at least so many attempts: a power of two.
pub const fn sets(attempts: u32) -> u32 {
    attempts.div_ceil(WAYS).next_power_of_two()
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::AttemptSet {}
}
