// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of attempts in progress: sets of eight places, one set per socket.
//!
//! It replaces a BPF hash map, whose insertions and removals take locks and lists that cost more than everything else
//! about a `connect()`. An attempt has the same index in the array `ATTEMPTS` as its socket has in `ATTEMPT_SETS`.

/// Places of a set.
pub const WAYS: u32 = 8;

/// One element of the array `ATTEMPT_SETS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptSet {
    /// Claims of the places: the program that counts a place from 0 to 1 owns it.
    pub claims: [u64; WAYS as usize],
    /// Address of the socket whose attempt is in the place, written last; 0: none.
    pub sockets: [u64; WAYS as usize],
}

/// Number of sets for at least this many attempts: a power of two.
pub const fn sets(attempts: u32) -> u32 {
    attempts.div_ceil(WAYS).next_power_of_two()
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, u64 only.
    unsafe impl aya::Pod for super::AttemptSet {}
}
