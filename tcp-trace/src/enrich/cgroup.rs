// SPDX-License-Identifier: MIT OR Apache-2.0
//! cgroup v2 ids to paths: the id is a file handle of the cgroup's directory, so the kernel itself returns the path.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::PathBuf,
};

use foldhash::fast::RandomState;
use rustix::fs::{Mode, OFlags};

use crate::{
    event::Event,
    kernel::cgroup_mount::mount,
    model::totals::{NamedCgroup, Totals},
    outside::Text,
};

/// Above this number of entries the cache is cleared.
const LIMIT: usize = 4096;
/// `FILEID_KERNFS`, include/linux/exportfs.h: the handle is the 64-bit id.
const FILEID_KERNFS: libc::c_int = 0xfe;

/// Paths of cgroups, each looked up once.
#[derive(Debug)]
pub struct Cgroups {
    mount: Option<(PathBuf, OwnedFd)>,
    /// Known paths; `None`: the cgroup is gone, or not accessible.
    paths: HashMap<u64, Option<Text>, RandomState>,
}

impl Cgroups {
    /// Uses the cgroup2 mount of this mount namespace; without one no id has a path.
    pub fn find() -> Self {
        let mount = mount().and_then(|path| {
            let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(&path, flags, Mode::empty()).ok().map(|fd| (path, fd))
        });
        Self { mount, paths: HashMap::default() }
    }

    /// Adds the path of an event's cgroup, if available.
    pub fn enrich(&mut self, event: &mut Event) {
        let cgroup = match event {
            Event::Connect(connect) => &mut connect.caller.cgroup,
            Event::Bind(bind) => &mut bind.caller.cgroup,
            Event::State(state) => &mut state.cgroup,
            Event::TimeWait(_) | Event::ListenDrop(_) | Event::Stack(_) | Event::Lost(_) | Event::Detail(_) => return,
        };
        if let Some(cgroup) = cgroup {
            cgroup.path = self.known(cgroup.id);
        }
    }

    /// Adds the available paths to totals.
    pub fn name(&mut self, totals: &mut Totals, others: impl Iterator<Item = u64>) {
        let ids: BTreeSet<u64> = totals.cgroup_ids().chain(others).filter(|id| *id != 0).collect();
        totals.cgroups = ids.into_iter().filter_map(|id| Some(NamedCgroup { id, path: self.known(id)? })).collect();
    }

    fn known(&mut self, id: u64) -> Option<Text> {
        if let Some(known) = self.paths.get(&id) {
            return known.clone();
        }
        if self.paths.len() >= LIMIT {
            self.paths.clear();
        }
        let path = self.path(id);
        self.paths.insert(id, path.clone());
        path
    }

    /// The path below the root of the cgroup2 mount, `/` for the root itself.
    pub fn path(&self, id: u64) -> Option<Text> {
        let (mount, mount_fd) = self.mount.as_ref()?;
        let directory = open_by_id(mount_fd, id)?;
        let path = fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd())).ok()?;
        let below = path.strip_prefix(mount).ok()?;
        Some(format!("/{}", below.display()).into())
    }
}

fn open_by_id(mount: &OwnedFd, id: u64) -> Option<OwnedFd> {
    /// `struct file_handle` with the eight bytes of a kernfs id.
    #[repr(C)]
    struct Handle {
        bytes: libc::c_uint,
        kind: libc::c_int,
        id: [u8; 8],
    }
    let mut handle = Handle { bytes: 8, kind: FILEID_KERNFS, id: id.to_ne_bytes() };
    // SAFETY: the handle has the layout of `struct file_handle` and the length that it contains; O_PATH opens nothing
    // that could block.
    let fd =
        unsafe { libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), libc::O_PATH | libc::O_CLOEXEC) };
    // SAFETY: a descriptor that the kernel just returned, without another owner.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Without a cgroup2 mount, or without CAP_DAC_READ_SEARCH, the result is `None`.
    #[test]
    fn names_the_root_or_nothing() {
        let cgroups = Cgroups::find();
        let Some((path, _)) = &cgroups.mount else { return };
        let id = fs::metadata(path).expect("cgroup2 mount").ino();
        assert!(matches!(cgroups.path(id).as_deref(), Some("/") | None));
        assert_eq!(cgroups.path(u64::MAX), None);
    }
}
