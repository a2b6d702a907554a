// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where sealed blocks go: a file that is whole at any moment, and the one after it once it is long enough.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    baseline::Baseline,
    block::{Kind, file_head, seal},
    message::head,
};
use crate::{
    clock::Moment,
    export::{
        destination::target,
        draft::{Draft, is_replaceable, numbered},
        stream::StreamWriter,
    },
    session_info::SessionInfo,
};

/// When a file is long enough, and how many of those before it stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// Bytes.
    pub size: Option<u64>,
    /// Time.
    pub every: Option<Duration>,
    /// Files kept beside the one that is written.
    pub kept: u16,
}

/// The file that is written.
#[derive(Debug)]
pub struct Store {
    /// `None`: a device or a pipe, which can be neither replaced nor rotated.
    path: Option<PathBuf>,
    file: StreamWriter,
    rotation: Rotation,
    begin: Moment,
    size: u64,
}

impl Store {
    /// Makes the file, in the place of another once it can be read.
    pub fn begin(path: &Path, known: &SessionInfo, before: Option<&Baseline>, rotation: Rotation) -> io::Result<Self> {
        let start = start(known, before)?;
        let mut draft = Draft::create(path)?;
        let path = draft.path().map(Path::to_owned);
        if path.is_none() && (rotation.size.is_some() || rotation.every.is_some()) {
            return Err(io::Error::other("it is not a regular file and cannot be rotated"));
        }
        draft.writer().write_all(&start)?;
        let file = draft.put_in_place()?;
        Ok(Self { path, file, rotation, begin: known.begin, size: start.len() as u64 })
    }

    /// Makes a file that begins with these blocks; beside those that are there already, for each is of an incident. If it
    /// fails there is no new file.
    pub fn begin_beside<'a>(
        path: &Path,
        known: &SessionInfo,
        before: &Baseline,
        blocks: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<Self> {
        let mut draft = Draft::create(path)?;
        let start = start(known, Some(before))?;
        draft.writer().write_all(&start)?;
        let mut size = start.len() as u64;
        for block in blocks {
            draft.writer().write_all(block)?;
            size += block.len() as u64;
        }
        let (file, named) = draft.put_beside()?;
        if let Some(named) = named.as_deref().filter(|named| **named != target(path)) {
            tracing::warn!("{} exists already: this incident is in {}", path.display(), named.display());
        }
        Ok(Self { path: named, file, rotation: Rotation::default(), begin: known.begin, size })
    }

    /// Whether there could be a file now: its folder is there, and the disk takes its first block.
    ///
    /// # Errors
    /// Why not.
    pub fn check(path: &Path, known: &SessionInfo) -> io::Result<()> {
        let mut draft = Draft::create(path)?;
        // A device or a pipe takes nothing on trial.
        if draft.path().is_some() {
            draft.writer().write_all(&start(known, None)?)?;
            draft.writer().file().sync_all()?;
        }
        Ok(())
    }

    /// Adds a sealed block.
    pub fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.file.write_all(block)?;
        self.size += block.len() as u64;
        Ok(())
    }

    /// Makes sure that what was written survives the machine.
    pub fn sync(&self) -> io::Result<()> {
        // What a pipe takes is nobody's to sync.
        if self.path.is_some() { self.file.file().sync_data() } else { Ok(()) }
    }

    /// Bytes written to this file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether another file is due at this moment.
    pub fn is_long(&self, now: Moment) -> bool {
        let age_ns = u128::from(now.monotonic_ns.saturating_sub(self.begin.monotonic_ns));
        self.rotation.size.is_some_and(|size| self.size >= size)
            || self.rotation.every.is_some_and(|every| age_ns >= every.as_nanos())
    }

    /// Ends this file and begins another one in its place: FILE becomes FILE.1, and so on.
    pub fn rotate(&mut self, known: &SessionInfo, before: &Baseline) -> io::Result<()> {
        self.sync()?;
        let Some(path) = self.path.clone() else { return Ok(()) };
        for number in (0..self.rotation.kept).rev() {
            is_replaceable(&numbered(&path, number + 1))?;
            match fs::rename(numbered(&path, number), numbered(&path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *self = Self::begin(&path, known, Some(before), self.rotation)?;
        Ok(())
    }
}

fn start(known: &SessionInfo, before: Option<&Baseline>) -> io::Result<Vec<u8>> {
    let mut start = file_head().to_vec();
    start.extend(seal(Kind::SessionInfo, &head(known)).ok_or(io::ErrorKind::FileTooLarge)?);
    if let Some(before) = before {
        start.extend(seal(Kind::Baseline, &before.payload()).ok_or(io::ErrorKind::FileTooLarge)?);
    }
    Ok(start)
}
