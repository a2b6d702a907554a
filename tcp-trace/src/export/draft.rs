// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file that gets its name once it is ready. Until then it has none, so nothing is left of it however the process ends.

use std::{
    fs::{self, File, Permissions},
    io::{self, Seek as _, Write as _},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD};
use tempfile::{Builder, TempPath};

use super::{
    destination::{Destination, OWNER_ONLY, folder},
    stream::StreamWriter,
};

/// The highest number that a name gets.
const MOST_NUMBERED: u16 = 9999;

/// A file on its way to its place.
#[derive(Debug)]
pub struct Draft {
    /// `None`: a device or a pipe, which is written to as it is.
    path: Option<PathBuf>,
    writer: StreamWriter,
}

impl Draft {
    /// Begins one for this path; a regular file that is there already is replaced once this one is ready.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path) -> io::Result<Self> {
        match Destination::find(path)? {
            Destination::Stream(file) => Ok(Self { path: None, writer: StreamWriter::of(file) }),
            Destination::Regular(path) => {
                let file = tempfile::tempfile_in(folder(&path))?;
                // By itself it gets what the umask leaves of 0666.
                file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
                Ok(Self { path: Some(path), writer: StreamWriter::of(file) })
            }
        }
    }

    /// Where it will be, links followed; `None`: it goes to a device or a pipe.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it is written with.
    pub fn writer(&mut self) -> &mut StreamWriter {
        &mut self.writer
    }

    /// Gives it its name; gives the file back, to write on.
    ///
    /// # Errors
    /// When not all of it could be written; then there is nothing new.
    pub fn put_in_place(self) -> io::Result<StreamWriter> {
        let replace = |draft: TempPath, path: &Path| {
            is_replaceable(path)?;
            draft.persist(path)?;
            Ok(path.to_owned())
        };
        self.named(replace).map(|(writer, _)| writer)
    }

    /// Gives it a name that no file has, so that nothing is replaced: FILE, or FILE.1, FILE.2 and so on. Gives the file
    /// back, to write on, and its name; a device or a pipe has none.
    ///
    /// # Errors
    /// As [`put_in_place`](Self::put_in_place), and when all of these are taken.
    pub fn put_beside(self) -> io::Result<(StreamWriter, Option<PathBuf>)> {
        self.named(first_free)
    }

    fn named(
        mut self,
        name: impl FnOnce(TempPath, &Path) -> io::Result<PathBuf>,
    ) -> io::Result<(StreamWriter, Option<PathBuf>)> {
        self.writer.flush()?;
        let Some(path) = &self.path else { return Ok((self.writer, None)) };
        let file = self.writer.file();
        file.sync_all()?;
        let mut beside = Builder::new();
        beside.prefix(".tcp-trace.").suffix(".part").permissions(Permissions::from_mode(OWNER_ONLY));
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = |beside: &Path| Ok(rustix::fs::linkat(CWD, &unnamed, CWD, beside, AtFlags::SYMLINK_FOLLOW)?);
        let (writer, draft) = match beside.make_in(folder(path), link) {
            Ok(linked) => (self.writer, linked.into_temp_path()),
            // This file system knows no files without names.
            Err(_) => {
                let (mut file, mut copy) = (file, beside.tempfile_in(folder(path))?);
                file.rewind()?;
                io::copy(&mut file, copy.as_file_mut())?;
                copy.as_file().sync_all()?;
                let (file, draft) = copy.into_parts();
                (StreamWriter::of(file), draft)
            }
        };
        let path = name(draft, path)?;
        // The name is on the disk only with its directory; one that cannot be opened is left to the kernel.
        File::open(folder(&path)).and_then(|folder| folder.sync_all()).or(Ok::<_, io::Error>(()))?;
        Ok((writer, Some(path)))
    }
}

fn first_free(mut draft: TempPath, path: &Path) -> io::Result<PathBuf> {
    for number in 0..=MOST_NUMBERED {
        let path = numbered(path, number);
        match draft.persist_noclobber(&path) {
            Ok(()) => return Ok(path),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => draft = taken.path,
            Err(failed) => return Err(failed.error),
        }
    }
    Err(io::Error::other(format!("it exists already, and so do {MOST_NUMBERED} numbered files")))
}

/// FILE, FILE.1, FILE.2
pub fn numbered(path: &Path, number: u16) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    if number > 0 {
        name.push(format!(".{number}"));
    }
    PathBuf::from(name)
}

/// Whether a file may take the place of what is there.
///
/// # Errors
/// When that is a device, a pipe, a socket or a directory.
pub fn is_replaceable(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() || there.is_symlink() => Ok(()),
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::other(format!("{} is not a regular file and is not replaced", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
