// SPDX-License-Identifier: MIT OR Apache-2.0
//! TCP sockets of the calling thread's network namespace, by sock_diag(7), one at a time.

mod wire;

use std::{io, net::Ipv4Addr, sync::OnceLock};

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketAddrV4, SocketFlags, SocketType, netlink},
};
use zerocopy::IntoBytes as _;

use self::wire::{Part, Request};
use super::socket::{Socket, State};

/// States to list: one bit each, by the kernel's numbers.
pub mod states {
    /// All states, including those of later kernels.
    pub const ALL: u32 = u32::MAX;
    /// `TCP_LISTEN`
    pub const LISTEN: u32 = 1 << 10;
    /// `TCP_BOUND_INACTIVE`, which 6.8 and later list.
    pub const BOUND: u32 = 1 << 13;
}

/// Length of the buffer in bytes: the kernel fills at most 32 KiB at a time.
const BUFFER: usize = 64 << 10;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// Result of a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Number of sockets.
    pub sockets: u64,
    /// Number of sockets in an unknown state.
    pub unknown: u64,
    /// Whether the kernel calls the list inconsistent, because the tables changed too much: visit again.
    pub interrupted: bool,
}

/// Shows every TCP socket in `states` to `each`, IPv4 first, listeners before others. `netns` is the inode number of
/// the calling thread's network namespace.
///
/// # Errors
/// When the kernel has no sock_diag for TCP (`ENOENT`, `EPROTONOSUPPORT`), or rejects the request.
pub fn visit(netns: u32, states: u32, mut each: impl FnMut(&Socket)) -> io::Result<Visit> {
    let flags = SocketFlags::CLOEXEC;
    let kernel = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))?;
    let mut buffer = vec![0; BUFFER];
    let mut visit = Visit::default();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = Request::dump(family as u8, states);
        rustix::net::send(&kernel, request.as_bytes(), SendFlags::empty())?;
        while !datagram(&kernel, netns, &mut buffer, &mut visit, &mut each)? {}
    }
    Ok(visit)
}

/// Parses every message of a datagram.
pub(crate) fn parse(datagram: &[u8]) {
    wire::parts(0, datagram, &mut 0).for_each(drop);
}

/// Reads one datagram; returns whether it was the last.
fn datagram(
    kernel: &OwnedFd,
    netns: u32,
    buffer: &mut [u8],
    visit: &mut Visit,
    each: &mut impl FnMut(&Socket),
) -> io::Result<bool> {
    let length = match rustix::net::recv(kernel, &mut *buffer, RecvFlags::TRUNC) {
        // The kernel makes room for what came meanwhile; a dump loses nothing, but its order may change.
        Err(Errno::INTR) => return Ok(false),
        received => received?.1,
    };
    let datagram = buffer.get(..length).ok_or_else(|| io::Error::other("a sock_diag datagram was truncated"))?;
    let mut flags = 0;
    let mut end = None;
    for part in wire::parts(netns, datagram, &mut flags) {
        match part {
            Part::Socket(socket) => {
                visit.sockets += 1;
                each(&socket);
            }
            Part::Unknown => visit.unknown += 1,
            Part::End(0) => end = Some(Ok(true)),
            Part::End(errno) => end = Some(Err(io::Error::from_raw_os_error(errno))),
        }
    }
    visit.interrupted |= flags & NLM_F_DUMP_INTR != 0;
    end.unwrap_or(Ok(false))
}

/// Whether this kernel lists sockets that are only bound, found out once by binding one; `None`: no socket can be bound
/// to loopback, or none is listed.
pub fn lists_bound() -> Option<bool> {
    static FOUND: OnceLock<Option<bool>> = OnceLock::new();
    *FOUND.get_or_init(|| try_bound().ok())
}

fn try_bound() -> io::Result<bool> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let own = SocketAddrV4::try_from(rustix::net::getsockname(&socket)?)?.port();
    let mut listed = false;
    visit(0, states::BOUND, |seen| listed |= seen.state == State::Bound && seen.sport == own)?;
    Ok(listed)
}

/// Why there is no list, in words.
pub fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EPROTONOSUPPORT) => {
            "this kernel has no sock_diag for TCP (modules inet_diag and tcp_diag)".into()
        }
        _ => format!("sock_diag: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn sees_a_listener_and_both_ends_of_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener on loopback");
        let there = listener.local_addr().expect("its address");
        let client = TcpStream::connect(there).expect("a connection");
        let here = client.local_addr().expect("its address");
        let mut found = Vec::new();
        let visited = visit(7, states::ALL, |socket| {
            if [there.port(), here.port()].contains(&socket.sport) {
                found.push(*socket);
            }
        });
        let visited = match visited {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EPROTONOSUPPORT)) => return,
            visited => visited.expect("a list"),
        };
        assert!(visited.sockets >= 3 && !visited.interrupted);
        let seen = |state, local: SocketAddr, remote: Option<SocketAddr>| {
            found.iter().filter(move |socket| {
                socket.state == state
                    && SocketAddr::new(socket.saddr, socket.sport) == local
                    && remote.is_none_or(|remote| SocketAddr::new(socket.daddr, socket.dport) == remote)
            })
        };
        let listening = seen(State::Listen, there, None).next().expect("the listener");
        assert_eq!((listening.netns, listening.recv_queue), (7, 1));
        assert!(listening.inode.is_some());
        assert_eq!(seen(State::Established, here, Some(there)).count(), 1);
        assert_eq!(seen(State::Established, there, Some(here)).count(), 1);
    }
}
