// SPDX-License-Identifier: MIT OR Apache-2.0
//! The destination, and the sockets that connect to it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with, sockopt},
};

/// Backlog with room for all connections that are not accepted yet.
pub const BACKLOG: i32 = 1 << 17;

/// Port of the destination, outside the default range of local ports.
const PORT: u16 = 8080;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "4" => Ok(Self::Ipv4),
            "6" => Ok(Self::Ipv6),
            _ => Err("expected 4 or 6".to_owned()),
        }
    }
}

/// A listening socket on loopback.
pub struct Destination {
    /// The address, or the first of several.
    address: SocketAddr,
    /// Number of consecutive addresses in 127.0.0.0/8.
    addresses: u32,
    listener: OwnedFd,
}

impl Destination {
    pub fn listen(family: Family) -> Result<Self> {
        let ip = match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let address = SocketAddr::new(ip, PORT);
        Self::listen_at(address, address, 1)
    }

    /// Listens on this many IPv4 addresses with one socket.
    pub fn listen_on_many(addresses: u32) -> Result<Self> {
        let first = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        Self::listen_at(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT), first, addresses)
    }

    fn listen_at(bound: SocketAddr, address: SocketAddr, addresses: u32) -> Result<Self> {
        let listener = tcp(bound, SocketFlags::NONBLOCK)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        bind(&listener, &bound).with_context(|| format!("could not bind {bound}"))?;
        listen(&listener, BACKLOG)?;
        Ok(Self { address, addresses, listener })
    }

    /// A client socket that leaves nothing behind: its close() sends a reset, so its port is free at once.
    pub fn client(&self) -> rustix::io::Result<OwnedFd> {
        let socket = tcp(self.address, SocketFlags::empty())?;
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        Ok(socket)
    }

    /// A connection to hold. Over loopback the handshake is complete when the call returns.
    pub fn hold(&self) -> rustix::io::Result<OwnedFd> {
        let socket = tcp(self.address, SocketFlags::NONBLOCK)?;
        match self.connect(&socket) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }

    pub fn connect(&self, socket: &OwnedFd) -> rustix::io::Result<()> {
        connect(socket, &self.address)
    }

    /// Connects to one of its addresses, in turn.
    pub fn connect_in_turn(&self, socket: &OwnedFd, number: u32) -> rustix::io::Result<()> {
        let IpAddr::V4(first) = self.address.ip() else { return self.connect(socket) };
        let ip = Ipv4Addr::from_bits(first.to_bits() + number % self.addresses);
        connect(socket, &SocketAddr::new(IpAddr::V4(ip), self.address.port()))
    }

    /// Accepts all waiting connections.
    pub fn accept_all(&self) -> rustix::io::Result<Vec<OwnedFd>> {
        let mut ends = Vec::new();
        loop {
            match accept_with(&self.listener, SocketFlags::CLOEXEC) {
                Ok(end) => ends.push(end),
                Err(Errno::AGAIN) => return Ok(ends),
                Err(errno) => return Err(errno),
            }
        }
    }
}

fn tcp(like: SocketAddr, flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    let family = if like.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    socket_with(family, SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)
}
