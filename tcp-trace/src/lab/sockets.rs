// SPDX-License-Identifier: MIT OR Apache-2.0
//! The few kinds of sockets that incidents use.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use rustix::{
    io::{Errno, Result},
    net::{AddressFamily, SocketFlags, SocketType, sockopt},
};

/// A TCP socket that sends a RST when it is closed, so that it leaves no TIME_WAIT.
pub(super) fn client(destination: SocketAddr, blocking: bool) -> Result<OwnedFd> {
    let socket = plain_client(destination, blocking)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    Ok(socket)
}

/// A TCP socket that closes with a FIN.
pub(super) fn plain_client(destination: SocketAddr, blocking: bool) -> Result<OwnedFd> {
    let flags = if blocking { SocketFlags::CLOEXEC } else { SocketFlags::CLOEXEC | SocketFlags::NONBLOCK };
    rustix::net::socket_with(family(destination), SocketType::STREAM, flags, None)
}

/// A listener whose accept queue has room for `backlog` connections.
pub(super) fn listener(address: SocketAddr, backlog: u32) -> Result<OwnedFd> {
    let socket = rustix::net::socket_with(family(address), SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// A listener that is bound to one device.
pub(super) fn listener_on(address: SocketAddr, device: NonZeroU32, backlog: u32) -> Result<OwnedFd> {
    let socket = rustix::net::socket_with(family(address), SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, &device)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

fn family(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

/// Makes `listener` drop every packet, with a classic BPF filter that accepts no byte.
pub(super) fn drop_all_packets(listener: &OwnedFd) -> Result<()> {
    const RETURN_CONSTANT: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut program = [libc::sock_filter { code: RETURN_CONSTANT, jt: 0, jf: 0, k: 0 }];
    let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    set_option(listener, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

/// Sets how often the kernel retransmits a SYN before connect() fails with ETIMEDOUT.
pub(super) fn set_syn_retransmits(socket: &OwnedFd, count: libc::c_int) -> Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, &count)
}

fn set_option<T>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> Result<()> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of `value` (and what a `sock_fprog` points to) during the call.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), size_of::<T>() as u32)
    };
    if result == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}
