// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where sealed blocks go: a file that is whole at any moment, and the one after it once it is long enough.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::before::Before;
use super::block::{Kind, file_head, seal};
use super::happened::head;
use crate::circumstances::Circumstances;
use crate::road::Moment;

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
    path: PathBuf,
    file: File,
    rotation: Rotation,
    begin: Moment,
    size: u64,
}

impl Store {
    /// Makes the file, in the place of another once it can be read.
    pub fn begin(path: &Path, known: &Circumstances, before: Option<&Before>, rotation: Rotation) -> io::Result<Self> {
        let (file, size) = create(path, known, before)?;
        Ok(Self { path: path.to_owned(), file, rotation, begin: known.begin, size })
    }

    /// Adds a sealed block.
    pub fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.file.write_all(block)?;
        self.size += block.len() as u64;
        Ok(())
    }

    /// Makes sure that what was written survives the machine.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
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
    pub fn rotate(&mut self, known: &Circumstances, before: &Before) -> io::Result<()> {
        self.file.sync_data()?;
        let numbered = |number: u16| {
            let mut name = self.path.clone().into_os_string();
            if number > 0 {
                name.push(format!(".{number}"));
            }
            PathBuf::from(name)
        };
        for number in (0..self.rotation.kept).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *self = Self::begin(&self.path, known, Some(before), self.rotation)?;
        Ok(())
    }
}

/// Nobody but its owner may read it: it says who talks to whom.
fn create(path: &Path, known: &Circumstances, before: Option<&Before>) -> io::Result<(File, u64)> {
    let mut start = file_head().to_vec();
    start.extend(seal(Kind::Circumstances, &head(known)).ok_or(io::ErrorKind::FileTooLarge)?);
    if let Some(before) = before {
        start.extend(seal(Kind::Before, &before.payload()).ok_or(io::ErrorKind::FileTooLarge)?);
    }
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    // One that was left behind has the mode that it had.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o600))?;
    let placed = file.write_all(&start).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // The error that led here says more than one about this.
        let _ = fs::remove_file(&beside);
    }
    placed.map(|()| (file, start.len() as u64))
}
