// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network namespaces, each held by the thread that works in it.

use std::{fs, io, net::Ipv4Addr, os::unix::fs::MetadataExt as _, thread};

use anyhow::{Context as _, Result, anyhow, ensure};

/// The namespace of the calling thread.
pub struct Netns {
    pub inode: u64,
}

/// Runs `work` in a thread of this name, in a new network namespace with loopback up.
pub fn within<T: Send>(name: &str, work: impl FnOnce(&Netns) -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned());
        let handle = thread.spawn_scoped(scope, || work(&enter()?)).context("could not start a thread")?;
        handle.join().map_err(|panic| anyhow!("panicked: {:?}", panic.downcast_ref::<String>()))?
    })
}

fn enter() -> Result<Netns> {
    // SAFETY: no descriptor changes tables.
    ensure!(unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0, "no new netns: {}", io::Error::last_os_error());
    loopback_up().context("could not bring loopback up")?;
    Ok(Netns { inode: fs::metadata("/proc/thread-self/ns/net")?.ino() })
}

fn loopback_up() -> Result<()> {
    let socket = crate::socket::Socket::udp()?;
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one `ifreq`.
    let result = unsafe { libc::ioctl(socket.raw(), libc::SIOCSIFFLAGS as _, &request) };
    ensure!(result == 0, "SIOCSIFFLAGS: {}", io::Error::last_os_error());
    Ok(())
}

impl Netns {
    /// Keeps the namespace, so that its inode number is not reused.
    pub fn keep(&self) -> Result<fs::File> {
        fs::File::open("/proc/thread-self/ns/net").context("could not open /proc/thread-self/ns/net")
    }

    /// Sets `net.<name>`, which must be per network namespace.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).with_context(|| format!("could not write {value:?} to {path}"))
    }

    pub fn set_range(&self, low: u16, high: u16) -> Result<()> {
        self.set("ipv4/ip_local_port_range", &format!("{low} {high}"))
    }

    pub fn has(&self, name: &str) -> bool {
        fs::exists(format!("/proc/sys/net/{name}")).unwrap_or(false)
    }

    /// Value of a counter in /proc/net/netstat.
    pub fn netstat(&self, name: &str) -> Result<u64> {
        counter("netstat", name)
    }

    /// Value of a TCP counter in /proc/net/snmp.
    pub fn snmp(&self, name: &str) -> Result<u64> {
        counter("snmp", name)
    }

    /// Number of TIME_WAIT minisockets, from /proc/net/sockstat.
    pub fn time_wait_level(&self) -> Result<u64> {
        let text = fs::read_to_string("/proc/thread-self/net/sockstat")?;
        let line = text.lines().find(|line| line.starts_with("TCP:")).context("no TCP in /proc/net/sockstat")?;
        let mut words = line.split(' ').skip_while(|word| *word != "tw").skip(1);
        Ok(words.next().context("no tw in /proc/net/sockstat")?.parse()?)
    }

    /// Adds a route to `destination`/32 that prohibits it (RTN_PROHIBIT) or makes it unreachable (RTN_UNREACHABLE).
    pub fn refuse_route(&self, destination: Ipv4Addr, kind: u8) -> Result<()> {
        const NLM: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE) as u16;
        let mut message = Vec::new();
        message.extend_from_slice(&36_u32.to_ne_bytes());
        message.extend_from_slice(&libc::RTM_NEWROUTE.to_ne_bytes());
        message.extend_from_slice(&NLM.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
        message.extend_from_slice(&[libc::AF_INET as u8, 32, 0, 0, libc::RT_TABLE_MAIN, 4, 0, kind]);
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&8_u16.to_ne_bytes());
        message.extend_from_slice(&libc::RTA_DST.to_ne_bytes());
        message.extend_from_slice(&destination.octets());
        let reply = crate::socket::Socket::route()?.exchange(&message)?;
        let errno = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
        ensure!(errno == Some(0), "could not add a route: errno {errno:?}");
        Ok(())
    }
}

/// Finds a value in pairs of lines: names and values.
fn counter(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        let [names, values] = pair else { continue };
        let position = names.split(' ').position(|word| word == name);
        if let Some(value) = position.and_then(|at| values.split(' ').nth(at)) {
            return Ok(value.parse()?);
        }
    }
    Err(anyhow!("no {name} in /proc/net/{file}"))
}
