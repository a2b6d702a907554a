// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contract between the kernel side and the user side: bytes, and what follows from them alone.
//!
//! Rules: `#[repr(C)]`, integers and byte arrays only, widest fields first, no implicit padding (zerocopy's
//! `IntoBytes` refuses to compile it). Units are in the names. Ports are in host order; addresses are in network
//! order, IPv4 as v4-mapped IPv6 (`::ffff:a.b.c.d`). A layout here lives only between one object and the agent that
//! embeds it: it never reaches a disk or a network, so it has no version.
#![no_std]

pub mod attempts;
pub mod bind;
pub mod config;
pub mod connect;
pub mod connect_rows;
pub mod counters;
pub mod detail;
pub mod folded;
pub mod listen;
pub mod names;
pub mod offsets;
pub mod outcome;
pub mod peer;
pub mod phases;
pub mod port_search;
pub mod set_state;
pub mod stack;
pub mod state;
pub mod time_wait;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Header of every raw event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawHeader {
    /// When the event happened, `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`).
    pub ktime_ns: u64,
    /// Kind of the raw event: one of [`kind`].
    pub kind: u16,
    /// Length in bytes of the whole raw event, including this header.
    pub size: u16,
    /// Explicit padding, with undefined content.
    pub pad: u32,
}

/// Kinds of raw events. `u16` constants rather than an enum: bytes from a newer object must stay decodable.
pub mod kind {
    /// [`RawConnect`](crate::connect::RawConnect)
    pub const CONNECT: u16 = 1;
    /// [`RawTimeWait`](crate::time_wait::RawTimeWait)
    pub const TIME_WAIT: u16 = 16;
    /// [`RawListenDrop`](crate::listen::RawListenDrop)
    pub const LISTEN_DROP: u16 = 48;
    /// [`RawBind`](crate::bind::RawBind)
    pub const BIND: u16 = 32;
    /// [`RawStack`](crate::stack::RawStack)
    pub const STACK: u16 = 80;
    /// [`RawState`](crate::state::RawState)
    pub const STATE: u16 = 64;
}

/// An address in network order, IPv4 as v4-mapped IPv6, in two native words: the kernel side writes words at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct Address(pub [u64; 2]);

impl Address {
    /// An address from its bytes.
    pub fn new(octets: [u8; 16]) -> Self {
        zerocopy::transmute!(octets)
    }

    /// The bytes of the address.
    pub fn octets(self) -> [u8; 16] {
        zerocopy::transmute!(self)
    }
}

/// Length of `comm`, the kernel's `TASK_COMM_LEN`.
pub const COMM_LEN: usize = 16;

/// Address families, as in `struct sock_common.skc_family`.
pub mod family {
    /// `AF_INET`
    pub const INET: u16 = 2;
    /// `AF_INET6`
    pub const INET6: u16 = 10;
}

/// TCP states, `include/net/tcp_states.h`.
pub mod tcp_state {
    #![expect(missing_docs, reason = "the kernel's own names")]
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const FIN_WAIT2: u8 = 5;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;

    /// Name in every output; `None`: not a state that a socket changes to or from.
    pub fn name(state: u8) -> Option<&'static str> {
        Some(match state {
            ESTABLISHED => "established",
            SYN_SENT => "syn_sent",
            SYN_RECV => "syn_recv",
            FIN_WAIT1 => "fin_wait1",
            FIN_WAIT2 => "fin_wait2",
            CLOSE => "close",
            CLOSE_WAIT => "close_wait",
            LAST_ACK => "last_ack",
            CLOSING => "closing",
            _ => return None,
        })
    }
}
