// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network namespace of this process, so that the machine's own ports and sysctls stay unchanged.

use std::{fs, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    net::{AddressFamily, SocketType},
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::UnshareFlags,
};

use crate::sockets::BACKLOG;

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A range of local ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub low: u32,
    pub high: u32,
}

impl Range {
    pub fn ports(self) -> u32 {
        self.high - self.low + 1
    }
}

/// The network namespace of this process, and its port range.
pub struct Ground {
    pub range: Range,
}

impl Ground {
    /// Moves the calling thread, and all threads that it starts later, into a new network namespace with loopback up.
    pub fn enter() -> Result<Self> {
        // SAFETY: NEWNET moves no descriptor from one table to another.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .context("could not make a network namespace, which takes CAP_SYS_ADMIN; try: sudo")?;
        loopback_up().context("could not bring loopback up")?;
        fs::write("/proc/sys/net/core/somaxconn", BACKLOG.to_string()).context("could not raise somaxconn")?;
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
        Ok(Self { range: read_range()? })
    }

    /// Restricts the kernel's choice to these ports.
    pub fn narrow(&self, to: Range) -> Result<()> {
        fs::write(RANGE, format!("{} {}", to.low, to.high)).with_context(|| format!("could not write to {RANGE}"))
    }

    pub fn widen(&self) -> Result<()> {
        self.narrow(self.range)
    }
}

fn read_range() -> Result<Range> {
    let text = fs::read_to_string(RANGE).with_context(|| format!("could not read {RANGE}"))?;
    let mut ends = text.split_whitespace().map(str::parse);
    match (ends.next(), ends.next()) {
        (Some(Ok(low)), Some(Ok(high))) if low <= high => Ok(Range { low, high }),
        _ => bail!("{RANGE} holds {text:?}, which is no range of ports"),
    }
}

fn loopback_up() -> Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: all-zero is a valid `ifreq`: integers, and a union of integers and arrays.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one `ifreq`, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request) };
    ensure!(result == 0, "SIOCSIFFLAGS: {}", std::io::Error::last_os_error());
    Ok(())
}
