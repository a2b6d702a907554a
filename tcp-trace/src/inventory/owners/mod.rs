// SPDX-License-Identifier: MIT OR Apache-2.0
//! Owners of sockets, from the links in `/proc/PID/fd`. Processes that end meanwhile are left out.

mod tables;

use std::{
    collections::HashMap,
    ffi::{CStr, OsStr},
    fs,
    mem::MaybeUninit,
    num::NonZeroU32,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    sync::Arc,
};

use foldhash::fast::RandomState;
use rustix::{
    fs::{Mode, OFlags, RawDir},
    io::Errno,
};

use super::{namespaces::numbered, socket::Socket};
use crate::{
    event::{Cgroup, Comm},
    kernel::cgroup_mount,
    outside::Text,
    proc_text,
};

/// Upper limit of sockets with an owner; more are only counted.
const LIMIT: usize = 1 << 20;

/// A process that holds sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Name of its first thread, or of the thread with this descriptor table.
    pub comm: Comm,
    /// Its cgroup v2.
    pub cgroup: Option<Cgroup>,
}

/// Owners of sockets.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    owners: Vec<Arc<Owner>>,
    /// Inode of the socket to index of the owner. Of several holders, the one with the lowest pid.
    by_inode: HashMap<NonZeroU32, u32, RandomState>,
    /// What could not be read, in words.
    pub warnings: Vec<String>,
}

impl Owners {
    /// Reads every file descriptor of every process.
    pub fn read() -> Self {
        let mut found = Self::default();
        let mount = cgroup_mount::mount();
        let (mut hidden, mut beyond) = (0_u32, 0_u64);
        for process in numbered("/proc") {
            // Other errors are of processes that ended meanwhile.
            let looked = found.process(&process, mount.as_deref(), &mut beyond);
            hidden += u32::from(matches!(looked, Err(Errno::ACCESS | Errno::PERM)));
        }
        if hidden > 0 {
            found
                .warnings
                .push(format!("sockets of {hidden} processes have no owner here: seeing it needs CAP_SYS_PTRACE"));
        }
        if beyond > 0 {
            found.warnings.push(format!("{beyond} sockets have no owner here: at most {LIMIT} owners are kept"));
        }
        found
    }

    /// Owners for tests and replay: `by_inode` maps inodes of sockets to indices in `owners`.
    pub fn new(owners: Vec<Arc<Owner>>, by_inode: impl IntoIterator<Item = (NonZeroU32, u32)>) -> Self {
        Self { owners, by_inode: by_inode.into_iter().collect(), warnings: Vec::new() }
    }

    /// All owners.
    pub fn all(&self) -> &[Arc<Owner>] {
        &self.owners
    }

    /// Inodes of sockets, each with the index of its owner in [`all`](Self::all).
    pub fn inodes(&self) -> impl Iterator<Item = (NonZeroU32, u32)> {
        self.by_inode.iter().map(|(inode, place)| (*inode, *place))
    }

    /// The process that holds a socket; `None`: no process, or none that is visible.
    pub fn of(&self, socket: &Socket) -> Option<&Arc<Owner>> {
        self.by_inode.get(&socket.inode?).and_then(|place| self.owners.get(*place as usize))
    }

    /// Adds a process, and those of its threads with a descriptor table of their own.
    fn process(&mut self, process: &Path, mount: Option<&Path>, beyond: &mut u64) -> rustix::io::Result<()> {
        self.table(process, process, mount, beyond)?;
        let Some(pid) = number(process) else { return Ok(()) };
        for thread in numbered(process.join("task")) {
            if number(&thread).is_some_and(|tid| tid != pid && !tables::are_shared(pid, tid)) {
                self.table(process, &thread, mount, beyond)?;
            }
        }
        Ok(())
    }

    fn table(&mut self, process: &Path, task: &Path, mount: Option<&Path>, beyond: &mut u64) -> rustix::io::Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(task.join("fd"), flags, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut entries = RawDir::new(&folder, &mut buffer);
        let mut place = None;
        while let Some(entry) = entries.next() {
            let Some(inode) = socket_inode(&folder, entry?.file_name()) else { continue };
            let place = match place {
                Some(place) => place,
                None => {
                    let Some(owner) = read_owner(process, task, mount) else { return Ok(()) };
                    self.owners.push(Arc::new(owner));
                    *place.insert(self.owners.len() as u32 - 1)
                }
            };
            if self.by_inode.len() < LIMIT {
                self.by_inode.entry(inode).or_insert(place);
            } else if !self.by_inode.contains_key(&inode) {
                *beyond += 1;
            }
        }
        Ok(())
    }
}

fn number(task: &Path) -> Option<u32> {
    task.file_name()?.to_str()?.parse().ok()
}

/// Parses `socket:[4242]`.
fn socket_inode(folder: &rustix::fd::OwnedFd, name: &CStr) -> Option<NonZeroU32> {
    let mut target = [MaybeUninit::uninit(); 32];
    let (link, _) = rustix::fs::readlinkat_raw(folder, name, &mut target).ok()?;
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn read_owner(process: &Path, task: &Path, mount: Option<&Path>) -> Option<Owner> {
    let comm = proc_text::comm(task).ok()?;
    let cgroup = mount.and_then(|mount| read_cgroup(process, mount));
    Some(Owner { pid: number(process)?, comm, cgroup })
}

fn read_cgroup(process: &Path, mount: &Path) -> Option<Cgroup> {
    let cgroups = fs::read(process.join("cgroup")).ok()?;
    let path = cgroups.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
    let path = Path::new(OsStr::from_bytes(path));
    let folder = mount.join(path.strip_prefix("/").unwrap_or(path));
    // The id of a cgroup is the inode number of its directory.
    let id = fs::metadata(folder).ok()?.ino();
    Some(Cgroup { id, path: Some(Text::from(&*path.to_string_lossy())) })
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        os::fd::AsRawFd as _,
    };

    use super::{
        super::socket::{State, Timer},
        *,
    };

    #[test]
    fn a_socket_of_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener on loopback");
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).expect("a link");
        let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        let socket = Socket {
            netns: 1,
            state: State::Listen,
            timer: Timer::Off,
            saddr: Ipv4Addr::LOCALHOST.into(),
            sport: 1,
            daddr: Ipv4Addr::UNSPECIFIED.into(),
            dport: 0,
            device: None,
            inode: digits.parse().ok(),
            uid: 0,
            cgroup: None,
            cookie: 0,
            recv_queue: 0,
            send_queue: 0,
            expires_ms: None,
        };
        let owners = Owners::read();
        assert_eq!(owners.of(&socket).map(|owner| owner.pid), Some(std::process::id()));
        assert_eq!(owners.of(&Socket { inode: None, ..socket }), None);
    }
}
