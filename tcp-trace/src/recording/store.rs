// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of sealed blocks: each is readable at any time, and the next one starts once it is full.

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

/// When a file is full, and how many older files are kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// Maximum size in bytes.
    pub size: Option<u64>,
    /// Maximum age.
    pub every: Option<Duration>,
    /// Number of older files that are kept.
    pub kept: u16,
}

/// The file that is being written.
#[derive(Debug)]
pub struct Store {
    /// Path of the file; `None`: a device or a pipe, which can be neither replaced nor rotated.
    path: Option<PathBuf>,
    file: StreamWriter,
    rotation: Rotation,
    begin: Moment,
    size: u64,
}

impl Store {
    /// Creates the file; it replaces an existing one once it can be read.
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

    /// Creates a file that begins with these blocks, without replacing existing ones, because each has an incident. On
    /// failure there is no new file.
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

    /// Checks whether a file could be written now: its folder exists, and the disk has space for the first block.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn check(path: &Path, known: &SessionInfo) -> io::Result<()> {
        let mut draft = Draft::create(path)?;
        // Nothing is written to a device or a pipe for a check.
        if draft.path().is_some() {
            draft.writer().write_all(&start(known, None)?)?;
            draft.writer().file().sync_all()?;
        }
        Ok(())
    }

    /// Appends a sealed block.
    pub fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.file.write_all(block)?;
        self.size += block.len() as u64;
        Ok(())
    }

    /// Syncs the file to the disk.
    pub fn sync(&self) -> io::Result<()> {
        // A pipe cannot be synced.
        if self.path.is_some() { self.file.file().sync_data() } else { Ok(()) }
    }

    /// Number of bytes in this file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the next file is due.
    pub fn is_long(&self, now: Moment) -> bool {
        let age_ns = u128::from(now.monotonic_ns.saturating_sub(self.begin.monotonic_ns));
        self.rotation.size.is_some_and(|size| self.size >= size)
            || self.rotation.every.is_some_and(|every| age_ns >= every.as_nanos())
    }

    /// Ends this file and starts the next one in its place: FILE becomes FILE.1, and so on.
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
