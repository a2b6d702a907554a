// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of traced processes, which are untrusted: the owner of a process controls their type and content. Only regular
//! files are opened, nothing is read beyond a limit, and links are followed only within the process's own root.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The file does not exist.
    Missing,
    /// The file is a FIFO, a device or a directory.
    Irregular,
    /// The file belongs neither to the user of the process nor to root.
    NotTheirs,
    /// The file is longer than this many bytes.
    TooLong(u64),
    /// The files of the process exceed this many bytes in total.
    TooMuch(u64),
    /// There is no room for more files.
    TooMany,
    /// The format of the file is invalid.
    Malformed,
    /// The kernel returned an error.
    Errno(Errno),
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH => Self::Missing,
            errno => Self::Errno(errno),
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::Malformed, Self::from)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::Irregular => f.write_str("not a regular file"),
            Self::NotTheirs => f.write_str("owned by another user"),
            Self::TooLong(limit) => write!(f, "longer than {} MiB", limit >> 20),
            Self::TooMuch(limit) => write!(f, "more than {} MiB for this process", limit >> 20),
            Self::TooMany => f.write_str("too many files"),
            Self::Malformed => f.write_str("not an ELF file"),
            Self::Errno(errno) => write!(f, "{}", io::Error::from(*errno)),
        }
    }
}

/// Opens the file behind a mapping, whatever is at its path by now.
pub(super) fn open_mapped(pid: u32, start: u64, end: u64) -> Result<File, Refused> {
    let path = format!("/proc/{pid}/map_files/{start:x}-{end:x}");
    open_regular(&rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a path as the process sees it.
pub(super) fn open_in_root(pid: u32, path: &Path) -> Result<File, Refused> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, format!("/proc/{pid}/root"), flags | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    open_regular(&rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// Opens a file if it is regular. Devices and FIFOs are never opened, because opening one may block or have side
/// effects.
fn open_regular(found: &OwnedFd) -> Result<File, Refused> {
    if FileType::from_raw_mode(rustix::fs::fstat(found)?.st_mode) != FileType::RegularFile {
        return Err(Refused::Irregular);
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    Ok(OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/self/fd/{}", found.as_raw_fd()))?)
}

/// Whether only root can change the file while it is read.
pub(super) fn is_roots_own(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.uid() == 0 && metadata.mode() & 0o022 == 0)
}

/// Reads the whole file as text.
pub(super) fn read_text(file: &File, limit: u64) -> Result<String, Refused> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Refused::TooLong(limit));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Copies the file into memory, so that no other process can change or truncate it while it is mapped.
pub(super) fn copy(file: &File, limit: u64) -> Result<File, Refused> {
    if file.metadata()?.len() > limit {
        return Err(Refused::TooLong(limit));
    }
    let mut copy = File::from(rustix::fs::memfd_create("tcp-trace", rustix::fs::MemfdFlags::CLOEXEC)?);
    // The file may have grown meanwhile.
    if io::copy(&mut file.take(limit + 1), &mut copy)? > limit {
        return Err(Refused::TooLong(limit));
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process};

    use rustix::fs::mknodat;

    use super::*;

    #[test]
    fn a_fifo_and_a_device_are_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("perf.map");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
        let refused = |path: &Path| open_in_root(process::id(), path).map(drop).unwrap_err();
        assert_eq!(refused(&fifo), Refused::Irregular);
        assert_eq!(refused(Path::new("/dev/zero")), Refused::Irregular);
        assert_eq!(refused(folder.path()), Refused::Irregular);
        assert_eq!(refused(&folder.path().join("none")), Refused::Missing);
        let link = folder.path().join("link");
        symlink("/proc/self/exe", &link).expect("a link");
        assert_eq!(refused(&link), Refused::Errno(Errno::LOOP), "a link of procfs leads out of the root");
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sparse");
        File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        let file = File::open(&path).expect("a file");
        assert_eq!(copy(&file, 1 << 20).map(drop), Err(Refused::TooLong(1 << 20)));
        assert_eq!(read_text(&file, 1 << 20), Err(Refused::TooLong(1 << 20)));
        fs::write(&path, "7f00 10 name").expect("written");
        assert_eq!(read_text(&File::open(&path).expect("a file"), 1 << 20).as_deref(), Ok("7f00 10 name"));
    }
}
