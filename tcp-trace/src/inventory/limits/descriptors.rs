// SPDX-License-Identifier: MIT OR Apache-2.0
//! Open file descriptors of processes, and their limits.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use serde::{Deserialize, Serialize};

use super::Taken;
use crate::{event::Comm, kernel::Roots, proc_text};

/// Number of processes that are kept: the nearest to their limit.
const KEPT: usize = 8;
/// A process with fewer open descriptors than this is near no realistic limit.
const FEW: u64 = 64;

/// File descriptors of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// Process id.
    pub pid: u32,
    /// Name of the process.
    pub comm: Comm,
    /// Open descriptors and the soft limit, beyond which calls fail with `EMFILE`.
    pub taken: Taken,
    /// Hard limit, up to which the process may raise the soft limit itself.
    pub hard: Option<u64>,
}

/// File descriptors of processes, from /proc.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// Processes, the nearest to their limit first.
    pub nearest: Vec<Descriptors>,
    /// Processes whose descriptors this process may not count.
    pub hidden: u64,
}

impl Processes {
    /// Reads every process; one that exits meanwhile is left out.
    pub fn survey(roots: &Roots) -> Self {
        let mut found = Self::default();
        for process in fs::read_dir(&roots.proc).into_iter().flatten().flatten() {
            let name = process.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match open(&process.path().join("fd")) {
                Ok(open) if open >= FEW => found.nearest.extend(described(&process.path(), pid, open)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found.hidden += 1,
                Ok(_) | Err(_) => {}
            }
        }
        found.nearest.sort_by(|one, other| other.taken.share().partial_cmp(&one.taken.share()).expect("no NaN"));
        found.nearest.truncate(KEPT);
        found
    }
}

/// Number of open descriptors. From 6.2 on the size of the folder is their number; before, they must be listed.
fn open(folder: &Path) -> io::Result<u64> {
    let size = fs::metadata(folder)?.size();
    // Being allowed to list them is being allowed to know their number, on every kernel alike.
    let listed = fs::read_dir(folder)?;
    Ok(if size > 0 { size } else { listed.count() as u64 })
}

fn described(folder: &Path, pid: u32, open: u64) -> Option<Descriptors> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let (soft, hard) = limit(&text("limits")?)?;
    let comm = proc_text::comm(folder).ok()?;
    Some(Descriptors { pid, comm, taken: Taken { used: Some(open), limit: soft }, hard })
}

/// Parses the line `Max open files            1024                 524288               files`.
fn limit(limits: &str) -> Option<(Option<u64>, Option<u64>)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace().map(|word| word.parse().ok());
    Some((words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_and_hard() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             3800                 3800                 processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(limit(limits), Some((Some(1024), Some(524_288))));
        assert_eq!(
            limit("Max open files            unlimited            unlimited            files"),
            Some((None, None))
        );
        assert_eq!(limit(""), None);
    }

    #[test]
    fn this_process_is_counted_as_the_kernel_lists_it() {
        let folder = Path::new("/proc/self/fd");
        let held: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").expect("it is there")).collect();
        let counted = open(folder).expect("our own");
        let listed = fs::read_dir(folder).expect("our own").count() as u64;
        assert!(counted >= 100 && counted.abs_diff(listed) < 20, "{counted} counted, {listed} listed");
        drop(held);
    }
}
