// SPDX-License-Identifier: MIT OR Apache-2.0
//! The network namespace of an incident: created, loopback brought up, sysctls set.

use std::{
    fs,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    str::FromStr,
};

use anyhow::Context as _;
use rustix::{
    net::{AddressFamily, SocketType},
    thread::UnshareFlags,
};

/// Error: the kernel does not let this user create a network namespace.
#[derive(Debug, thiserror::Error)]
#[error("making a network namespace needs CAP_SYS_ADMIN")]
pub struct NotPermitted;

/// Moves the calling thread, and all threads that it starts later, into a new network namespace with loopback up.
pub(super) fn enter() -> anyhow::Result<()> {
    // SAFETY: NEWNET moves no descriptor from one table to another.
    match unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) } {
        Ok(()) => loopback_up().context("could not bring loopback up in the new network namespace"),
        Err(rustix::io::Errno::PERM) => Err(NotPermitted.into()),
        Err(errno) => {
            Err(anyhow::Error::new(errno).context("could not make a network namespace (unshare CLONE_NEWNET)"))
        }
    }
}

/// The inode number of the namespace, as `--netns` takes it.
pub(super) fn inode() -> anyhow::Result<u64> {
    Ok(fs::metadata("/proc/thread-self/ns/net").context("could not look at /proc/thread-self/ns/net")?.ino())
}

fn loopback_up() -> anyhow::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: all-zero is a valid `ifreq`: integers, and a union of integers and arrays.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one `ifreq`, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// Sets `net.<name>`. Only sysctls that have been per network namespace since before 5.10 may be listed, so that the
/// machine's own settings never change.
pub(super) fn set_sysctl(name: Sysctl, value: &str) -> anyhow::Result<()> {
    let path = name.path();
    fs::write(path, value).with_context(|| format!("could not write {value:?} to {path}"))
}

/// The sysctls that an incident may set.
#[derive(Clone, Copy)]
pub(super) enum Sysctl {
    Somaxconn,
    IpLocalPortRange,
    TcpMaxSynBacklog,
    TcpSyncookies,
}

impl Sysctl {
    fn path(self) -> &'static str {
        match self {
            Self::Somaxconn => "/proc/sys/net/core/somaxconn",
            Self::IpLocalPortRange => "/proc/sys/net/ipv4/ip_local_port_range",
            Self::TcpMaxSynBacklog => "/proc/sys/net/ipv4/tcp_max_syn_backlog",
            Self::TcpSyncookies => "/proc/sys/net/ipv4/tcp_syncookies",
        }
    }
}

/// The ephemeral port range, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct PortRange {
    pub(super) low: u16,
    pub(super) high: u16,
}

/// Of LOW-HIGH. Scenarios want ports of both parities, so both halves.
impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        match ends {
            Some((low, high)) if low >= 1024 && high > low => Ok(Self { low, high }),
            _ => Err("two ports from 1024 on, such as 40000-43999".to_owned()),
        }
    }
}

impl PortRange {
    pub(super) fn read() -> anyhow::Result<Self> {
        let path = Sysctl::IpLocalPortRange.path();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
        let mut ends = text.split_whitespace().map(str::parse::<u16>);
        match (ends.next(), ends.next()) {
            (Some(Ok(low)), Some(Ok(high))) if low <= high => Ok(Self { low, high }),
            _ => anyhow::bail!("{path} holds {text:?}, which is not a range of ports"),
        }
    }

    pub(super) fn write(self) -> anyhow::Result<()> {
        set_sysctl(Sysctl::IpLocalPortRange, &format!("{} {}", self.low, self.high))
    }

    pub(super) fn ports(self) -> u32 {
        u32::from(self.high) - u32::from(self.low) + 1
    }

    /// The number of ports in `percent` percent of the range.
    pub(super) fn share(self, percent: u32) -> u32 {
        self.ports() * percent / 100
    }
}

/// Number of TIME_WAIT minisockets in this namespace, as the kernel counts them.
pub(super) fn time_wait_level() -> anyhow::Result<u64> {
    let path = "/proc/thread-self/net/sockstat";
    let text = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    let mut words = text.lines().find(|line| line.starts_with("TCP:")).into_iter().flat_map(str::split_whitespace);
    words
        .by_ref()
        .find(|word| *word == "tw")
        .and_then(|_| words.next()?.parse().ok())
        .with_context(|| format!("{path} has no TIME_WAIT count"))
}

#[cfg(test)]
mod tests {
    use super::PortRange;

    #[test]
    fn a_range_has_both_halves_and_no_privileged_port() {
        let range: PortRange = "40000-43999".parse().expect("a range");
        assert_eq!((range.low, range.high, range.ports()), (40_000, 43_999, 4000));
        for wrong in ["", "40000", "40000-", "40000-40000", "43999-40000", "1023-2000", "40000-65536", "a-b"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
