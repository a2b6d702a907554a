// SPDX-License-Identifier: MIT OR Apache-2.0
//! Owner and peer of sockets: the key under which they are added up.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// A process and what it is connected to: a destination where it connected, its own service where it accepted. Clients
/// of a service are added up under it, for there may be as many as the Internet has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawPeer {
    /// When the owner's process started, in ns since boot; 0 = not known. A pid that is used again is another process.
    pub process_start_ns: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Thread group of the owner, 0 = not known.
    pub tgid: u32,
    /// Remote address of a connection that was opened here, local address of one that was accepted.
    pub address: Address,
    /// The port that belongs to the address.
    pub port: u16,
    /// Address family on the wire.
    pub family: u16,
    /// One of [`side`].
    pub side: u8,
    /// Explicit padding.
    pub pad: [u8; 3],
}

/// Which end of the connection is here.
pub mod side {
    /// `connect()` was called here. Where that was not seen: the local port was chosen by `connect()`, or is of the
    /// ephemeral range while the remote one is not.
    pub const OPENED: u8 = 1;
    /// Anything else.
    pub const ACCEPTED: u8 = 2;
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it).
    unsafe impl aya::Pod for super::RawPeer {}
}
