// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why the kernel refused something, as far as the user can act on it: derived from errno, never from text.

use serde::{Deserialize, Serialize};

/// Kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Privileges are missing, or a security module, a container or a sandbox forbids it.
    Forbidden,
    /// File descriptors, memory or similar ran out: it may work at another time.
    Exhausted,
    /// This kernel does not support it.
    Unsupported,
}

impl Refusal {
    /// The kind for an errno; `None`: the error is not from a system call.
    pub fn of(errno: Option<i32>) -> Self {
        match errno {
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN | libc::ENOSPC) => Self::Exhausted,
            _ => Self::Unsupported,
        }
    }

    /// How to free what ran out.
    pub fn make_room(errno: Option<i32>) -> &'static str {
        match errno {
            Some(libc::EMFILE) => "raise the limit with ulimit -n 1024: this process cannot open more files",
            Some(libc::ENFILE) => "raise sysctl fs.file-max: the machine has no file descriptors left",
            _ => "free memory or raise the limit of the cgroup: there is no memory left for BPF programs and maps",
        }
    }
}

/// The first error number in a chain of causes.
pub fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(errno) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
            return Some(errno);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_is_neither_forbidden_nor_unsupported() {
        let of = |errno: i32| {
            let error = anyhow::Error::new(std::io::Error::from_raw_os_error(errno)).context("loading");
            Refusal::of(super::errno(error.as_ref()))
        };
        assert_eq!([of(libc::EMFILE), of(libc::ENOMEM)], [Refusal::Exhausted; 2]);
        assert_eq!([of(libc::EPERM), of(libc::EACCES)], [Refusal::Forbidden; 2]);
        assert_eq!(of(libc::EINVAL), Refusal::Unsupported);
        assert_eq!(
            Refusal::of(super::errno(anyhow::anyhow!("EPERM").as_ref())),
            Refusal::Unsupported,
            "a word is none"
        );
    }
}
