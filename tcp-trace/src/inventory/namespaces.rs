// SPDX-License-Identifier: MIT OR Apache-2.0
//! The visible network namespaces of the machine, and running code within one.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use foldhash::fast::RandomState;
use rustix::{fd::AsFd as _, thread::LinkNameSpaceType};
use serde::{Deserialize, Serialize};

use super::container;
use crate::{outside::Text, proc_text};

/// Upper limit of namespaces; more are only counted.
const LIMIT: usize = 1024;
/// Upper limit of threads whose namespace is read. The namespace of a process is always read.
const THREADS: usize = 65_536;
/// Number of processes per namespace whose container is looked up.
const ASKED: u8 = 4;

/// One network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Inode number, as `--netns` and `ls -Li /proc/PID/ns/net` show it.
    pub inode: u32,
    /// Its container, or its name in `ip netns`.
    pub name: Option<Text>,
    /// A file that refers to it.
    path: PathBuf,
    /// Whether the calling thread is in it.
    own: bool,
}

/// All namespaces that were found.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    /// Namespaces, the thread's own first.
    pub list: Vec<Namespace>,
    /// What could not be read, in words.
    pub warnings: Vec<String>,
}

impl Namespace {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// Without procfs.
    pub fn own() -> io::Result<Self> {
        let path = PathBuf::from("/proc/thread-self/ns/net");
        let inode = inode(&path)?;
        Ok(Self { inode, name: None, path, own: true })
    }

    /// A file through which nsenter(1) enters it; `None`: the calling thread was in it.
    pub fn entrance(&self) -> Option<Text> {
        (!self.own).then(|| Text::from(&*self.path.to_string_lossy()))
    }

    /// Removes the name.
    pub fn forget_names(&mut self) {
        (self.name, self.path) = (None, PathBuf::from("/proc/PID/ns/net"));
    }

    /// A namespace for tests, which need not exist.
    #[cfg(test)]
    pub(crate) fn sample(inode: u32) -> Self {
        Self { inode, name: None, path: PathBuf::from("/proc/4294967295/ns/net"), own: false }
    }
}

/// Runs `work` within a namespace, on a thread that ends afterwards, so that no thread of this process stays there. In
/// the own namespace no thread is needed.
///
/// # Errors
/// When the namespace is gone, or entering it is not permitted.
pub fn within<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if namespace.own {
        return Ok(work());
    }
    let file = fs::File::open(&namespace.path)?;
    thread::scope(|scope| {
        let visitor = thread::Builder::new().name("netns-visitor".into()).spawn_scoped(scope, || {
            rustix::thread::move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            // Another process may have the pid by now.
            if inode(Path::new("/proc/thread-self/ns/net"))? != namespace.inode {
                return Err(io::Error::from_raw_os_error(libc::ESTALE));
            }
            Ok(work())
        })?;
        visitor.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Namespaces {
    /// Mounted namespaces, from mountinfo.
    pub(crate) fn of_mounts(mountinfo: &str) -> Self {
        let mut search = Search::default();
        search.mounts(mountinfo);
        search.finish()
    }

    /// Every namespace of a process or thread, and every mounted one (`ip netns`, container runtimes).
    ///
    /// # Errors
    /// Without procfs.
    pub fn all() -> io::Result<Self> {
        let own = Namespace::own()?;
        // Containers in the machine's own namespace do not give it a name.
        let machine = inode(Path::new("/proc/1/ns/net")).ok();
        let mut search = Search { unnamed: Some(own.inode).into_iter().chain(machine).collect(), ..Search::default() };
        search.enter(own);
        search.mounts(&proc_text::read("/proc/self/mountinfo").unwrap_or_default());
        search.processes();
        Ok(search.finish())
    }
}

#[derive(Default)]
struct Search {
    found: Namespaces,
    /// Index in the list, and number of processes whose container was looked up.
    index: HashMap<u32, (usize, u8), RandomState>,
    /// Namespaces that are never named after a container.
    unnamed: Vec<u32>,
    beyond: usize,
    hidden: usize,
    threads: usize,
}

impl Search {
    fn enter(&mut self, namespace: Namespace) {
        if self.index.contains_key(&namespace.inode) {
            return;
        }
        if self.found.list.len() >= LIMIT {
            self.beyond += 1;
            return;
        }
        self.index.insert(namespace.inode, (self.found.list.len(), 0));
        self.found.list.push(namespace);
    }

    /// Parses lines such as `36 35 0:4 net:[4026532281] /run/netns/blue rw shared:1 - nsfs nsfs rw`.
    fn mounts(&mut self, mountinfo: &str) {
        for line in mountinfo.lines() {
            let mut fields = line.split(' ').skip(3);
            let (Some(inode), Some(path)) = (fields.next().and_then(inode_in), fields.next()) else { continue };
            let path = PathBuf::from(path);
            let name = path.file_name().map(|name| Text::from(&*name.to_string_lossy()));
            self.enter(Namespace { inode, name, path, own: false });
        }
    }

    fn processes(&mut self) {
        for process in numbered("/proc") {
            self.look(&process);
            if self.threads >= THREADS {
                continue;
            }
            let leader = process.file_name().map(ToOwned::to_owned);
            for thread in numbered(process.join("task")) {
                if thread.file_name() != leader.as_deref() {
                    self.threads += 1;
                    self.look(&thread);
                }
            }
        }
    }

    /// Adds the namespace of a process or thread, and its name.
    fn look(&mut self, task: &Path) {
        let path = task.join("ns/net");
        let inode = match inode(&path) {
            Ok(inode) => inode,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.hidden += 1;
                return;
            }
            // The process ended meanwhile.
            Err(_) => return,
        };
        self.enter(Namespace { inode, name: None, path, own: false });
        if self.unnamed.contains(&inode) {
            return;
        }
        let Some((place, asked)) = self.index.get_mut(&inode) else { return };
        let namespace = &mut self.found.list[*place];
        if *asked < ASKED {
            *asked += 1;
            if let Some(name) = container_of(task) {
                namespace.name = Some(name);
                *asked = ASKED;
            }
        }
    }

    fn finish(mut self) -> Namespaces {
        if self.hidden > 0 {
            let hidden = self.hidden;
            let words =
                format!("network namespaces of {hidden} processes are unknown: seeing them needs CAP_SYS_PTRACE");
            self.found.warnings.push(words);
        }
        if self.beyond > 0 {
            let words = format!("only {LIMIT} network namespaces are read, and there are more");
            self.found.warnings.push(words);
        }
        if self.threads >= THREADS {
            let words = format!("namespaces of single threads are found among the first {THREADS} threads only");
            self.found.warnings.push(words);
        }
        self.found
    }
}

fn container_of(task: &Path) -> Option<Text> {
    let cgroups = proc_text::read(task.join("cgroup")).ok()?;
    // `0::/path` of cgroup v2, `4:memory:/path` of v1.
    cgroups.lines().find_map(|line| container::name(line.splitn(3, ':').nth(2)?))
}

/// Folders with numeric names: processes, or threads.
pub(super) fn numbered(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit))
        .map(|entry| entry.path())
}

fn inode(path: &Path) -> io::Result<u32> {
    let link = fs::read_link(path)?;
    link.to_str().and_then(inode_in).ok_or_else(|| io::Error::other(format!("{} is not a namespace", path.display())))
}

/// Parses `net:[4026531840]`.
fn inode_in(link: &str) -> Option<u32> {
    link.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mounts() {
        let found = Namespaces::of_mounts(
            "35 24 0:31 / /sys rw - sysfs sysfs rw\n\
             36 35 0:4 net:[4026532281] /run/netns/blue rw shared:1 - nsfs nsfs rw\n\
             37 35 0:4 net:[4026532281] /var/run/netns/blue rw shared:1 - nsfs nsfs rw\n\
             38 35 0:4 mnt:[4026532282] /run/x rw - nsfs nsfs rw\nbroken",
        );
        assert_eq!(found.list.len(), 1);
        assert_eq!((found.list[0].inode, found.list[0].name.as_deref()), (4_026_532_281, Some("blue")));
    }

    #[test]
    fn the_own_one_is_first_and_entered_without_a_thread() {
        let found = Namespaces::all().expect("procfs");
        assert!(found.list[0].entrance().is_none());
        let here = thread::current().id();
        assert_eq!(within(&found.list[0], || thread::current().id()).expect("the own one"), here);
    }

    #[test]
    fn a_namespace_that_is_gone() {
        let gone = Namespace::sample(1);
        assert_eq!(within(&gone, || ()).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
    }
}
