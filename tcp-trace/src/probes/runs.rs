// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts that the kernel keeps of each program: time and runs while statistics are on, and runs that it skipped
//! because a program already ran on that CPU.

use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};

use aya::Ebpf;

use super::object_info;

/// Sums over all loaded programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Time in programs in ns, while statistics were on.
    pub ns: u64,
    /// Number of runs, while statistics were on.
    pub count: u64,
    /// Skipped runs; `None` where the kernel does not count them (before 5.12).
    pub missed: Option<u64>,
}

impl Runs {
    /// Sums over the programs that are loaded now.
    pub fn of(ebpf: &Ebpf) -> Self {
        let loaded = ebpf.programs().filter_map(|(_, program)| program.fd().ok());
        let each = loaded.filter_map(|fd| of_program(fd.as_fd().as_raw_fd()));
        each.fold(Self { missed: Some(0), ..Self::default() }, |sum, one| Self {
            ns: sum.ns + one.ns,
            count: sum.count + one.count,
            missed: sum.missed.zip(one.missed).map(|(sum, one)| sum + one),
        })
    }

    /// Difference between an earlier reading and this one. The counts of a program that was unloaded in between are
    /// gone.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            ns: self.ns.saturating_sub(earlier.ns),
            count: self.count.saturating_sub(earlier.count),
            missed: self.missed.zip(earlier.missed).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// Words of `struct bpf_prog_info`: `run_time_ns`, `run_cnt` and `recursion_misses` (5.12) are words 24 to 26.
const WORDS: usize = 27;

fn of_program(fd: RawFd) -> Option<Runs> {
    let info = object_info::words::<WORDS>(fd, WORDS);
    let missed = info.map(|info| info[26]);
    let info = info.or_else(|| object_info::words(fd, WORDS - 1))?;
    Some(Runs { ns: info[24], count: info[25], missed })
}

#[cfg(test)]
mod tests {
    use super::Runs;

    #[test]
    fn what_is_not_counted_is_not_zero() {
        let known = Runs { ns: 5, count: 2, missed: Some(3) };
        assert_eq!(known.since(Runs { missed: None, ..known }).missed, None);
        assert_eq!(known.since(Runs { missed: Some(1), ..Runs::default() }), Runs { missed: Some(2), ..known });
    }
}
