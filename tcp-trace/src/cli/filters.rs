// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters shared by every live command: validated here, applied in the kernel.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use tcp_trace_common::{
    COMM_LEN,
    config::{Config, filter},
    family,
};

use crate::{exit::Failure, kernel::cgroup_mount, model::scope::words};

/// Which events to include; an event must match every filter.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters (applied in the kernel)")]
pub struct Filters {
    /// Only this process
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Only threads with this name (15 characters, as in /proc/PID/comm)
    #[arg(long, value_name = "NAME")]
    pub comm: Option<String>,
    /// Only this user, by name or number
    #[arg(long, value_name = "UID|NAME")]
    pub uid: Option<String>,
    /// Only this cgroup v2: its path below the mount point, or its absolute path
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<PathBuf>,
    /// Only this network namespace: its inode number (see ls -Li /proc/PID/ns/net), a name from `ip netns`, or a path
    #[arg(long, value_name = "INODE|NAME|PATH")]
    pub netns: Option<String>,
    /// Only this remote port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Only this remote address or network, for example 10.0.0.0/8 or 2001:db8::1
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    pub daddr: Option<Network>,
    /// Only IPv4 (v4-mapped IPv6 included)
    #[arg(short = '4', conflicts_with = "v6")]
    pub v4: bool,
    /// Only IPv6
    #[arg(short = '6')]
    pub v6: bool,
}

/// An address and the length of its prefix, in IPv6 form (IPv4 addresses are v4-mapped).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: [u8; 16],
    bits: u8,
    v4: bool,
}

fn parse_network(text: &str) -> Result<Network, String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr =
        address.parse().map_err(|_| "expected an address or network, for example 10.0.0.0/8 or 2001:db8::1")?;
    let (address, width): (Ipv6Addr, u8) = match address {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 32),
        IpAddr::V6(v6) => (v6, 128),
    };
    let bits = match bits {
        None => width,
        Some(bits) => bits
            .parse()
            .ok()
            .filter(|bits| *bits <= width)
            .ok_or_else(|| format!("the prefix length must be 0 to {width}"))?,
    };
    Ok(Network { address: address.octets(), bits: 128 - width + bits, v4: width == 32 })
}

impl Network {
    /// Whether the network contains IPv4 addresses (v4-mapped ones).
    fn has_v4(self) -> bool {
        let mapped = u128::from_be_bytes(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
        let both = u128::from_be_bytes(self.mask()) & (u128::MAX << 32);
        (u128::from_be_bytes(self.address) ^ mapped) & both == 0
    }

    fn mask(self) -> [u8; 16] {
        u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0).to_be_bytes()
    }
}

impl Filters {
    /// A configuration that holds the filters and nothing else. `elsewhere`: a recording of another machine is filtered.
    ///
    /// # Errors
    /// When a filter names what does not exist, or what only the recorded machine could look up.
    pub fn config(&self, elsewhere: bool) -> Result<Config, Failure> {
        let mut config = Config::EMPTY;
        if elsewhere {
            self.apply_elsewhere(&mut config)?
        } else {
            self.apply(&mut config)?
        }
        Ok(config)
    }

    /// Writes the filters into the configuration for a recording of another machine: nothing is looked up on this one.
    ///
    /// # Errors
    /// When a filter is a name that only the recorded machine could look up.
    fn apply_elsewhere(&self, config: &mut Config) -> Result<(), Failure> {
        let named = |flag: &str| Failure::Usage {
            headline: format!("{flag} needs a number here: this machine cannot look up names of the recorded machine"),
            try_next: vec!["use the number that reports show".into()],
        };
        let number =
            |text: &Option<String>, flag| text.as_ref().map(|text| text.parse().map_err(|_| named(flag))).transpose();
        if self.cgroup.is_some() {
            return Err(named("--cgroup"));
        }
        let (uid, netns) = (number(&self.uid, "--uid")?, number(&self.netns, "--netns")?);
        Self { pid: None, uid: None, netns: None, ..self.clone() }.apply(config)?;
        let mut set = |bit: u32, slot: &mut u32, value: Option<u32>| {
            if let Some(value) = value {
                *slot = value;
                config.filters |= bit;
            }
        };
        set(filter::TGID, &mut config.tgid, self.pid);
        set(filter::UID, &mut config.uid, uid);
        set(filter::NETNS, &mut config.netns, netns);
        Ok(())
    }

    /// Writes the filters into the kernel side's configuration.
    ///
    /// # Errors
    /// When the process, user, cgroup or namespace that a filter names does not exist: such a filter would never match.
    fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        let mut set = |bit: u32| config.filters |= bit;
        if let Some(pid) = self.pid {
            if !Path::new("/proc").join(pid.to_string()).is_dir() {
                return Err(missing(format!("there is no process with pid {pid}"), "ps -e"));
            }
            config.tgid = pid;
            set(filter::TGID);
        }
        if let Some(uid) = &self.uid {
            config.uid = uid_of(uid)?;
            set(filter::UID);
        }
        if let Some(comm) = &self.comm {
            config.comm = padded(comm);
            set(filter::COMM);
        }
        if let Some(path) = &self.cgroup {
            config.cgroup_id = cgroup_id(path)?;
            set(filter::CGROUP);
        }
        if let Some(netns) = &self.netns {
            config.netns = netns_inode(netns)?;
            set(filter::NETNS);
        }
        if let Some(port) = self.port {
            config.dport = port;
            set(filter::DPORT);
        }
        if let Some(network) = self.daddr {
            if (self.v4 && !network.has_v4()) || (self.v6 && network.v4) {
                return Err(Failure::Usage {
                    headline: "--daddr and -4 or -6 name different address families: nothing would match".into(),
                    try_next: vec!["leave out -4 or -6: the address already says which family it is".into()],
                });
            }
            config.daddr_mask = words(network.mask());
            config.daddr =
                words((u128::from_be_bytes(network.address) & u128::from_be_bytes(network.mask())).to_be_bytes());
            set(filter::DADDR);
        }
        if self.v4 || self.v6 || self.daddr.is_some_and(|network| network.v4) {
            config.family = if self.v6 { family::INET6 } else { family::INET };
            set(filter::FAMILY);
        }
        Ok(())
    }
}

impl Filters {
    /// Checks the filters for reports whose rows are kept per process: no user is kept there, and lists of events are
    /// not filtered.
    ///
    /// # Errors
    /// When a filter would have no effect.
    pub fn for_rows(&self, events: bool) -> Result<(), Failure> {
        if self.uid.is_some() {
            return Err(Failure::Usage {
                headline: "--uid is not supported here: totals are kept per process".into(),
                try_next: vec!["use --pid, --comm, --cgroup, --netns, --port, --daddr, -4, -6".into()],
            });
        }
        let mut narrowed = Config::EMPTY;
        self.apply(&mut narrowed)?;
        if events && narrowed.filters != 0 {
            return Err(Failure::Usage {
                headline: "--events cannot be combined with filters here: it lists the events of every process, filters apply to rows only".into(),
                try_next: vec!["leave out one of them, or use --format json and filter its lines, for example with jq".into()],
            });
        }
        Ok(())
    }
}

fn missing(headline: String, look_up: &str) -> Failure {
    Failure::Usage { headline, try_next: vec![format!("`{look_up}` lists the valid values")] }
}

fn padded(comm: &str) -> [u8; COMM_LEN] {
    let mut bytes = [0; COMM_LEN];
    for (into, byte) in bytes.iter_mut().take(COMM_LEN - 1).zip(comm.bytes()) {
        *into = byte;
    }
    bytes
}

fn uid_of(text: &str) -> Result<u32, Failure> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry =
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&text));
    entry
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| missing(format!("there is no user {text}"), "getent passwd"))
}

fn cgroup_id(path: &Path) -> Result<u64, Failure> {
    let below_mount = cgroup_mount::mount().map(|mount| mount.join(path.strip_prefix("/").unwrap_or(path)));
    let found = [Some(path.to_path_buf()), below_mount].into_iter().flatten().find_map(|path| fs::metadata(path).ok());
    // The id of a cgroup is the inode number of its directory in the cgroup2 mount.
    found.map(|metadata| metadata.ino()).ok_or_else(|| missing(format!("no cgroup {}", path.display()), "systemd-cgls"))
}

fn netns_inode(text: &str) -> Result<u32, Failure> {
    let none = || missing(format!("no network namespace {text}"), "lsns -t net");
    if let Ok(inode) = text.parse::<u32>() {
        let seen = netns_files().any(|file| inode_of(&file) == Some(inode));
        return if seen { Ok(inode) } else { Err(none()) };
    }
    let paths = [PathBuf::from(text), Path::new("/run/netns").join(text)];
    let path = paths.iter().find(|path| path.exists()).ok_or_else(none)?;
    if !is_netns(path) {
        return Err(missing(format!("{} is not a network namespace", path.display()), "lsns -t net"));
    }
    inode_of(path).ok_or_else(none)
}

/// Whether a file refers to a network namespace. No other file is opened: opening one could block or have side effects.
fn is_netns(path: &Path) -> bool {
    /// `_IO(0xb7, 3)`, include/uapi/linux/nsfs.h
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(found) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    if !rustix::fs::fstatfs(&found).is_ok_and(|system| system.f_type == libc::NSFS_MAGIC) {
        return false;
    }
    let Ok(file) = fs::File::open(format!("/proc/self/fd/{}", found.as_raw_fd())) else { return false };
    // SAFETY: the descriptor is an open file of nsfs, and the request takes and returns no memory.
    unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) == libc::CLONE_NEWNET }
}

fn inode_of(path: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(path).ok()?.ino()).ok()
}

/// Every file that refers to a network namespace: those of processes, and those kept by `ip netns`.
fn netns_files() -> impl Iterator<Item = PathBuf> {
    let entries = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries("/proc").map(|process| process.join("ns/net")).chain(entries("/run/netns"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scope::Scope;

    fn applied(network: &str) -> Config {
        let mut config = Config::EMPTY;
        let filters = Filters { daddr: Some(parse_network(network).unwrap()), ..Filters::default() };
        filters.apply(&mut config).unwrap();
        config
    }

    fn passes(config: &Config, address: &str) -> bool {
        // The kernel side compares the same way, except for the address family.
        let any_family = Config { filters: config.filters & !filter::FAMILY, ..*config };
        Scope::of(&any_family).contains(address.parse().unwrap(), 1)
    }

    #[test]
    fn networks() {
        let ten = applied("10.0.0.0/8");
        assert!(passes(&ten, "10.255.1.2") && !passes(&ten, "11.0.0.1") && !passes(&ten, "::1"));
        let host = applied("2001:db8::1");
        assert!(passes(&host, "2001:db8::1") && !passes(&host, "2001:db8::2"));
        let all = applied("0.0.0.0/0");
        assert!(passes(&all, "1.2.3.4"));
        assert_eq!(all.family, family::INET);
        assert!(passes(&applied("::/0"), "fe80::1"));
    }

    #[test]
    fn a_filter_is_never_passed_over() {
        let by_port = Filters { port: Some(80), ..Filters::default() };
        assert!(by_port.for_rows(false).is_ok());
        assert_eq!(by_port.for_rows(true).unwrap_err().code(), 2);
        let by_user = Filters { uid: Some("0".into()), ..Filters::default() };
        assert_eq!(by_user.for_rows(false).unwrap_err().code(), 2);
    }

    #[test]
    fn what_is_not_a_network() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x", "10.0.0.0/"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn families_that_exclude_each_other_are_refused() {
        let code = |v4: bool, v6: bool, network: &str| {
            let daddr = Some(parse_network(network).unwrap());
            Filters { v4, v6, daddr, ..Filters::default() }
                .apply(&mut Config::EMPTY.clone())
                .map_err(|error| error.code())
        };
        for (v4, network) in [(true, "::1"), (true, "2001:db8::/32"), (false, "10.0.0.0/8")] {
            assert_eq!(code(v4, !v4, network), Err(2), "{network}");
        }
        for (v4, network) in [(true, "::/0"), (true, "::ffff:1.2.3.4"), (true, "10.0.0.1"), (false, "::1")] {
            assert_eq!(code(v4, !v4, network), Ok(()), "{network}");
        }
    }

    #[test]
    fn a_namespace_is_one_of_the_network() {
        for path in ["/etc/passwd", "/proc/self/ns/pid", "/dev/zero", "/proc/self/ns"] {
            let refused = netns_inode(path).unwrap_err();
            assert!(
                refused.code() == 2 && refused.to_string().contains("not a network namespace"),
                "{path}: {refused}"
            );
        }
        assert_eq!(netns_inode("/proc/self/ns/net").ok(), inode_of(Path::new("/proc/self/ns/net")));
    }

    #[test]
    fn names_of_what_is_not_there() {
        let nobody = Filters { pid: Some(u32::MAX), ..Filters::default() };
        assert_eq!(nobody.apply(&mut Config::EMPTY.clone()).unwrap_err().code(), 2);
        assert!(netns_inode("1").is_err());
        assert!(cgroup_id(Path::new("no/such/cgroup")).is_err());
    }
}
