// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of sock_diag(7): one request, and messages to sockets.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::{NonZeroU32, NonZeroU64},
};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::socket::{Socket, State, Timer};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `INET_DIAG_CGROUP_ID`, include/uapi/linux/inet_diag.h
const CGROUP_ID: u16 = 21;

/// `struct nlmsghdr`
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// `struct inet_diag_sockid`
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SocketId {
    sport: [u8; 2],
    dport: [u8; 2],
    saddr: [u8; 16],
    daddr: [u8; 16],
    interface: u32,
    cookie: [u32; 2],
}

/// `struct nlmsghdr`, `struct inet_diag_req_v2`
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Request {
    header: Header,
    family: u8,
    protocol: u8,
    extensions: u8,
    pad: u8,
    states: u32,
    id: SocketId,
}

/// `struct inet_diag_msg`
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Message {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: SocketId,
    expires_ms: u32,
    recv_queue: u32,
    send_queue: u32,
    uid: u32,
    inode: u32,
}

impl Request {
    /// A request for every TCP socket of a family in these states (one bit each).
    pub(super) fn dump(family: u8, states: u32) -> Self {
        Self {
            header: Header {
                length: size_of::<Self>() as u32,
                kind: SOCK_DIAG_BY_FAMILY,
                flags: (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16,
                sequence: 1,
                port: 0,
            },
            family,
            protocol: libc::IPPROTO_TCP as u8,
            extensions: 0,
            pad: 0,
            states,
            id: SocketId {
                sport: [0; 2],
                dport: [0; 2],
                saddr: [0; 16],
                daddr: [0; 16],
                interface: 0,
                // INET_DIAG_NOCOOKIE
                cookie: [u32::MAX; 2],
            },
        }
    }
}

/// A part of a datagram from the kernel.
pub(super) enum Part {
    /// One socket.
    Socket(Socket),
    /// A socket in an unknown state.
    Unknown,
    /// The end of the list, with 0 or an errno.
    End(i32),
}

/// Parses every message of one datagram; the flags of all are or-ed into `flags`.
pub(super) fn parts<'a>(netns: u32, mut datagram: &'a [u8], flags: &'a mut u16) -> impl Iterator<Item = Part> + 'a {
    std::iter::from_fn(move || {
        let (header, rest) = Header::read_from_prefix(datagram).ok()?;
        let length = usize::try_from(header.length).ok()?;
        let body = rest.get(..length.checked_sub(size_of::<Header>())?)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        *flags |= header.flags;
        Some(match header.kind {
            NLMSG_ERROR | NLMSG_DONE => {
                Part::End(i32::read_from_prefix(body).map_or(0, |(errno, _)| errno.saturating_neg()))
            }
            SOCK_DIAG_BY_FAMILY => socket(netns, body).map_or(Part::Unknown, Part::Socket),
            _ => Part::Unknown,
        })
    })
}

fn socket(netns: u32, body: &[u8]) -> Option<Socket> {
    let (message, attributes) = Message::read_from_prefix(body).ok()?;
    let timer = Timer::from_kernel(message.timer);
    Some(Socket {
        netns,
        state: State::from_kernel(message.state)?,
        timer,
        saddr: address(message.family, message.id.saddr),
        sport: u16::from_be_bytes(message.id.sport),
        daddr: address(message.family, message.id.daddr),
        dport: u16::from_be_bytes(message.id.dport),
        device: NonZeroU32::new(message.id.interface),
        inode: NonZeroU32::new(message.inode),
        uid: message.uid,
        cgroup: cgroup(attributes),
        cookie: u64::from(message.id.cookie[1]) << 32 | u64::from(message.id.cookie[0]),
        recv_queue: message.recv_queue,
        send_queue: message.send_queue,
        expires_ms: (timer != Timer::Off).then_some(message.expires_ms),
    })
}

fn address(family: u8, bytes: [u8; 16]) -> IpAddr {
    if i32::from(family) == libc::AF_INET {
        let [a, b, c, d, ..] = bytes;
        return Ipv4Addr::new(a, b, c, d).into();
    }
    Ipv6Addr::from(bytes).to_canonical()
}

/// Reads the cgroup from consecutive `struct nlattr`.
fn cgroup(mut attributes: &[u8]) -> Option<NonZeroU64> {
    loop {
        let ([length, kind], rest) = <[u16; 2]>::read_from_prefix(attributes).ok()?;
        let value = rest.get(..usize::from(length).checked_sub(4)?)?;
        if kind == CGROUP_ID {
            return NonZeroU64::new(u64::read_from_bytes(value).ok()?);
        }
        attributes = attributes.get(usize::from(length).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram(family: u8, saddr: [u8; 16]) -> Vec<u8> {
        let mut bytes = Request::dump(family, 0).as_bytes().to_vec();
        bytes.truncate(16);
        bytes.extend([family, 10, 0, 0, 0x1f, 0x90, 0, 0]);
        bytes.extend(saddr);
        bytes.extend([0; 16 + 4 + 8 + 4]);
        bytes.extend([3_u32, 128, 33, 4242].map(u32::to_ne_bytes).concat());
        bytes.extend([5_u16, 8].map(u16::to_ne_bytes).concat());
        bytes.extend([0; 4]);
        bytes.extend([12_u16, CGROUP_ID].map(u16::to_ne_bytes).concat());
        bytes.extend(77_u64.to_ne_bytes());
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_listener() {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        let bytes = datagram(libc::AF_INET6 as u8, mapped);
        let mut flags = 0;
        let found: Vec<_> = parts(1, &bytes, &mut flags).collect();
        let [Part::Socket(socket)] = &found[..] else { panic!() };
        assert_eq!((socket.state, socket.sport, socket.saddr), (State::Listen, 8080, [127, 0, 0, 1].into()));
        assert_eq!((socket.recv_queue, socket.send_queue, socket.uid), (3, 128, 33));
        assert_eq!((socket.inode, socket.cgroup), (NonZeroU32::new(4242), NonZeroU64::new(77)));
        assert_eq!(socket.expires_ms, None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let mut flags = 0;
            prop_assert!(parts(1, &bytes, &mut flags).count() <= bytes.len() / 16);
        }

        #[test]
        fn cut_short(cut in 0_usize..124) {
            let mut flags = 0;
            let bytes = datagram(libc::AF_INET as u8, [10; 16]);
            prop_assert!(!parts(1, &bytes[..cut.min(bytes.len() - 1)], &mut flags).any(|part| matches!(part, Part::Socket(_))));
        }
    }
}
