// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets by system calls, so that each errno is the kernel's.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

pub const IPPROTO_MPTCP: i32 = 262;
pub const IP_LOCAL_PORT_RANGE: i32 = 51;
pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// One socket.
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    fn new(family: i32, kind: i32, protocol: i32) -> Result<Self> {
        // SAFETY: has no preconditions.
        let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
        ensure!(fd >= 0, io::Error::last_os_error());
        // SAFETY: the kernel just gave it to us.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// A TCP socket of the family of `like`.
    pub fn tcp(like: IpAddr) -> Result<Self> {
        Self::new(if like.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }, libc::SOCK_STREAM, 0)
    }

    pub fn mptcp() -> Result<Self> {
        Self::new(libc::AF_INET, libc::SOCK_STREAM, IPPROTO_MPTCP)
    }

    pub fn udp() -> Result<Self> {
        Self::new(libc::AF_INET, libc::SOCK_DGRAM, 0)
    }

    pub fn route() -> Result<Self> {
        Self::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
    }

    pub fn netfilter() -> Result<Self> {
        Self::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)
    }

    pub fn diag() -> Result<Self> {
        Self::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG)
    }

    /// A socket whose close sends a RST and leaves no TIME_WAIT.
    pub fn resetting(like: IpAddr) -> Result<Self> {
        let socket = Self::tcp(like)?;
        socket.set(libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        Ok(socket)
    }

    pub fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub fn nonblocking(self) -> Result<Self> {
        // SAFETY: a descriptor of this process and integers.
        let result = unsafe { libc::fcntl(self.raw(), libc::F_SETFL, libc::O_NONBLOCK) };
        ensure!(result == 0, io::Error::last_os_error());
        Ok(self)
    }

    pub fn set<T>(&self, level: i32, name: i32, value: &T) -> Result<()> {
        let value = std::ptr::from_ref(value).cast();
        // SAFETY: the kernel reads as many bytes as `T` has.
        let result = unsafe { libc::setsockopt(self.raw(), level, name, value, size_of::<T>() as u32) };
        ensure!(result == 0, "setsockopt {level} {name}: {}", io::Error::last_os_error());
        Ok(())
    }

    pub fn bind(&self, address: SocketAddr) -> Result<()> {
        let errno = self.try_bind(address);
        ensure!(errno == 0, "bind {address}: {}", io::Error::from_raw_os_error(errno));
        Ok(())
    }

    /// Binds the socket; returns 0 or a positive errno.
    pub fn try_bind(&self, address: SocketAddr) -> i32 {
        let (bytes, length) = to_kernel(address);
        // SAFETY: an address and its length.
        let result = unsafe { libc::bind(self.raw(), bytes.as_ptr().cast(), length) };
        if result == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(-1) }
    }

    pub fn listen(&self, backlog: i32) -> Result<()> {
        // SAFETY: a descriptor of this process and an integer.
        ensure!(unsafe { libc::listen(self.raw(), backlog) } == 0, io::Error::last_os_error());
        Ok(())
    }

    /// A listener that never accepts.
    pub fn listener(address: SocketAddr, backlog: i32) -> Result<Self> {
        let socket = Self::tcp(address.ip())?;
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
        socket.bind(address)?;
        socket.listen(backlog)?;
        Ok(socket)
    }

    /// A listener that drops every packet; [`Socket::hear_again`] ends that.
    pub fn deaf_listener(address: SocketAddr) -> Result<Self> {
        let socket = Self::listener(address, 16)?;
        socket.deafen()?;
        Ok(socket)
    }

    /// Drops every arriving packet; [`Socket::hear_again`] ends that.
    pub fn deafen(&self) -> Result<()> {
        let mut program = [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }];
        let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
    }

    pub fn hear_again(&self) -> Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32)
    }

    /// Connects the socket; returns 0 or a positive errno.
    pub fn connect(&self, address: SocketAddr) -> i32 {
        let (bytes, length) = to_kernel(address);
        // SAFETY: an address and its length.
        let result = unsafe { libc::connect(self.raw(), bytes.as_ptr().cast(), length) };
        if result == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(-1) }
    }

    /// connect() to AF_UNSPEC: ends whatever the socket was doing.
    pub fn disconnect(&self) -> Result<()> {
        let unspecified = [0_u8; 16];
        // SAFETY: an address and its length.
        let result = unsafe { libc::connect(self.raw(), unspecified.as_ptr().cast(), 16) };
        ensure!(result == 0, io::Error::last_os_error());
        Ok(())
    }

    /// Waits until a non-blocking connect ends; returns 0 or a positive errno.
    pub fn connected(&self, patience: Duration) -> Result<i32> {
        let mut poll = libc::pollfd { fd: self.raw(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one `pollfd`.
        let ready = unsafe { libc::poll(&mut poll, 1, patience.as_millis() as i32) };
        ensure!(ready == 1, "the connect was not over after {patience:?}");
        self.get(libc::SOL_SOCKET, libc::SO_ERROR, 0)
    }

    /// Number of retransmits, from TCP_INFO.
    pub fn retransmits(&self) -> Result<u32> {
        // SAFETY: integers and padding only.
        let info: libc::tcp_info = unsafe { std::mem::zeroed() };
        Ok(self.get(libc::IPPROTO_TCP, libc::TCP_INFO, info)?.tcpi_total_retrans)
    }

    /// Reads an option; `T` must be the type that the kernel writes.
    fn get<T: Copy>(&self, level: i32, name: i32, mut value: T) -> Result<T> {
        let mut length = size_of::<T>() as u32;
        // SAFETY: the kernel writes at most `length` bytes to `value`.
        let result = unsafe { libc::getsockopt(self.raw(), level, name, (&raw mut value).cast(), &mut length) };
        ensure!(result == 0, "getsockopt {level} {name}: {}", io::Error::last_os_error());
        Ok(value)
    }

    pub fn local(&self) -> Result<SocketAddr> {
        let mut bytes = [0_u8; 128];
        let mut length = bytes.len() as u32;
        // SAFETY: the kernel writes at most `length` bytes.
        let result = unsafe { libc::getsockname(self.raw(), bytes.as_mut_ptr().cast(), &mut length) };
        ensure!(result == 0, io::Error::last_os_error());
        from_kernel(&bytes)
    }

    /// Accepts the next connection; returns it with its peer.
    pub fn accept(&self) -> Result<(Self, SocketAddr)> {
        let mut bytes = [0_u8; 128];
        let mut length = bytes.len() as u32;
        // SAFETY: the kernel writes at most `length` bytes.
        let fd = unsafe { libc::accept4(self.raw(), bytes.as_mut_ptr().cast(), &mut length, libc::SOCK_CLOEXEC) };
        ensure!(fd >= 0, io::Error::last_os_error());
        // SAFETY: the kernel just gave it to us.
        Ok((Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } }, from_kernel(&bytes)?))
    }

    pub fn send(&self, bytes: &[u8]) -> Result<usize> {
        // SAFETY: a buffer and its length.
        let sent = unsafe { libc::send(self.raw(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        ensure!(sent >= 0, io::Error::last_os_error());
        Ok(sent as usize)
    }

    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        // SAFETY: a buffer and its length.
        let received = unsafe { libc::recv(self.raw(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        ensure!(received >= 0, io::Error::last_os_error());
        Ok(received as usize)
    }

    /// Sends one request and returns its answer.
    pub fn exchange(&self, request: &[u8]) -> Result<Vec<u8>> {
        self.send(request)?;
        let mut reply = vec![0; 4096];
        let length = self.receive(&mut reply)?;
        reply.truncate(length);
        Ok(reply)
    }
}

fn to_kernel(address: SocketAddr) -> ([u8; 28], u32) {
    let mut bytes = [0; 28];
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&ip.octets());
            (bytes, 16)
        }
        IpAddr::V6(ip) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes[8..24].copy_from_slice(&ip.octets());
            (bytes, 28)
        }
    }
}

fn from_kernel(bytes: &[u8; 128]) -> Result<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    if family == libc::AF_INET {
        let ip: [u8; 4] = bytes[4..8].try_into().context("four bytes")?;
        return Ok(SocketAddrV4::new(ip.into(), port).into());
    }
    if family == libc::AF_INET6 {
        let ip: [u8; 16] = bytes[8..24].try_into().context("sixteen bytes")?;
        return Ok(SocketAddrV6::new(ip.into(), port, 0, 0).into());
    }
    bail!("address family {family}")
}
