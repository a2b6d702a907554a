// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes to what may have a reader that does not read: it waits as long as the run goes on, and not much longer.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::OpenOptionsExt as _,
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, OFlags},
    io::Errno,
};

use crate::shutdown;

/// A reader that took nothing for so long, when the run was to end, is given up.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// `PIPE_BUF`: so much a pipe that is ready takes at once.
const AT_ONCE: usize = 4096;

/// A descriptor, and how it is written to.
#[derive(Debug)]
pub struct StreamWriter {
    file: File,
    /// Bytes of one write; a longer one could block although the descriptor was ready.
    at_most: usize,
    waits: bool,
}

impl StreamWriter {
    /// Of a regular file, or of a descriptor that does not block and that no other process has.
    pub fn of(file: File) -> Self {
        Self { file, at_most: usize::MAX, waits: false }
    }

    /// Standard output.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn stdout() -> io::Result<Self> {
        Self::shared(io::stdout().as_fd(), "/proc/self/fd/1")
    }

    /// Standard error.
    ///
    /// # Errors
    /// As [`stdout`](Self::stdout).
    pub fn stderr() -> io::Result<Self> {
        Self::shared(io::stderr().as_fd(), "/proc/self/fd/2")
    }

    /// Other processes have it too: that it must not block is a property of an open file of our own, where one can be had.
    fn shared(fd: BorrowedFd<'_>, path: &str) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
        if kind == FileType::Fifo || fd.is_terminal() {
            let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
            if let Ok(own) = OpenOptions::new().write(true).custom_flags(flags).open(path) {
                return Ok(Self::of(own));
            }
        }
        let file = File::from(fd.try_clone_to_owned()?);
        Ok(if kind == FileType::RegularFile { Self::of(file) } else { Self { file, at_most: AT_ONCE, waits: true } })
    }

    /// The descriptor.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Write for StreamWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(self.at_most)];
        if self.waits {
            wait(&self.file)?;
        }
        loop {
            match rustix::io::write(&self.file, bytes) {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(&self.file)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Until it can be written to.
fn wait(file: &File) -> io::Result<()> {
    let mut ending_since = None;
    loop {
        let is_due = shutdown::is_due();
        let timeout =
            if is_due {
                let since = *ending_since.get_or_insert_with(Instant::now);
                let left = PATIENCE.checked_sub(since.elapsed());
                Some(left.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::TimedOut, "the reader at the other end does not read")
                })?)
            } else {
                shutdown::until_due()
            };
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let wake = shutdown::wake().filter(|_| !is_due);
        let mut fds = [PollFd::new(file, PollFlags::OUT), PollFd::new(file, PollFlags::empty())];
        if let Some(wake) = wake {
            fds[1] = PollFd::new(wake, PollFlags::IN);
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Also where an error waits: the write tells it.
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}
