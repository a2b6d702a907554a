// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opens the files that the user named for writing. Symbolic links of other users are not followed, devices and pipes are
//! written to and never replaced, and a check and what it is a check for always concern the same descriptor.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, Stat},
    process::geteuid,
};

/// As many links are followed as the kernel itself would.
const MAX_LINKS: usize = 40;
/// The mode of what tcp-trace creates: output says which process talks to whom.
pub const OWNER_ONLY: u32 = 0o600;
/// Of every descriptor that is opened for writing: a FIFO without a reader and a swapped file are errors, not a hang.
const WRITE: OFlags = OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// What a path leads to.
#[derive(Debug)]
pub enum Destination {
    /// A regular file, or nothing yet, under this path, in which the last name is no symbolic link.
    Regular(PathBuf),
    /// A device, a pipe, a terminal or a descriptor of this process, open for writing without blocking. It cannot be
    /// replaced.
    Stream(File),
}

impl Destination {
    /// Looks at a path, and follows links of this user and of root.
    ///
    /// # Errors
    /// When it is a directory or a link of another user, or cannot be read.
    pub fn find(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            if path.file_name().is_none() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let found = match rustix::fs::open(&path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            {
                Ok(found) => found,
                Err(rustix::io::Errno::NOENT) => return Ok(Self::Regular(path)),
                Err(error) => return Err(error.into()),
            };
            let stat = rustix::fs::fstat(&found)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => return Ok(Self::Regular(path)),
                FileType::Directory => return Err(io::ErrorKind::IsADirectory.into()),
                // /dev/stdout and the like: the kernel knows which file they mean, their text does not.
                FileType::Symlink if is_proc(&found) => return Ok(Self::Stream(open_stream(&path)?)),
                FileType::Symlink => path = follow(&path, &found, &stat)?,
                _ => {
                    if !is_trusted(stat.st_uid) && is_world_writable(folder(&path))? {
                        return Err(not_ours("device or pipe", stat.st_uid));
                    }
                    return Ok(Self::Stream(open_stream(&PathBuf::from(format!(
                        "/proc/self/fd/{}",
                        found.as_raw_fd()
                    )))?));
                }
            }
        }
        Err(rustix::io::Errno::LOOP.into())
    }
}

/// Opens a file for output that grows: emptied, then only ever appended to, so that `logrotate`'s copytruncate leaves no
/// hole. A new one can be read by its owner only; an existing one keeps its mode.
///
/// # Errors
/// When it cannot be opened, or another user may have planted it there.
pub fn open_output(path: &Path) -> io::Result<File> {
    let path = match Destination::find(path)? {
        Destination::Stream(file) => return Ok(file),
        Destination::Regular(path) => path,
    };
    let file = create(&path, WRITE)?;
    let metadata = file.metadata()?;
    if !is_trusted(metadata.uid()) && is_world_writable(folder(&path))? {
        return Err(not_ours("file", metadata.uid()));
    }
    if metadata.nlink() > 1 && !is_trusted(fs::metadata(folder(&path))?.uid()) {
        return Err(io::Error::other("it has more than one hard link, and tcp-trace does not overwrite such files"));
    }
    file.set_len(0)?;
    Ok(file)
}

/// Creates an empty file as a sign for another program; one that is there already stays as it is.
///
/// # Errors
/// When it cannot be created, or is a symbolic link.
pub fn mark(path: &Path) -> io::Result<()> {
    create(path, WRITE).map(drop)
}

/// The directory that a path lies in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a path leads, with links of any owner followed, as far as that can be found out.
pub fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&path) else { break };
        path = folder(&path).join(link);
    }
    path
}

/// Nothing but a regular file passes: what the path leads to may have changed since it was looked at.
fn create(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(OWNER_ONLY))?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

fn open_stream(path: &Path) -> io::Result<File> {
    // std adds O_CLOEXEC and the access mode itself.
    OpenOptions::new().append(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32).open(path)
}

fn follow(path: &Path, link: &OwnedFd, stat: &Stat) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    if !is_trusted(stat.st_uid) {
        return Err(not_ours("symbolic link", stat.st_uid));
    }
    let target = rustix::fs::readlinkat(link, "", Vec::new())?;
    Ok(folder(path).join(std::ffi::OsString::from_vec(target.into_bytes())))
}

fn is_proc(link: &OwnedFd) -> bool {
    rustix::fs::fstatfs(link).is_ok_and(|system| system.f_type == libc::PROC_SUPER_MAGIC)
}

/// Root could do anything without planting links.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

fn is_world_writable(folder: &Path) -> io::Result<bool> {
    Ok(fs::metadata(folder)?.mode() & 0o002 != 0)
}

fn not_ours(what: &str, uid: u32) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("it is a {what} that user {uid} may have planted: tcp-trace does not write there"),
    )
}
