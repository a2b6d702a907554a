// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where bytes end up: standard output or a file. A pipe whose reader is gone is an end, not an error.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::Path,
};

use rustix::termios::{Winsize, tcgetwinsize};

use super::{destination, stream::StreamWriter};
use crate::{exit::Failure, stream::Written};

/// An opened output.
pub struct Sink {
    name: String,
    writer: BufWriter<StreamWriter>,
    terminal: bool,
}

impl Sink {
    /// Standard output, or a file that is emptied first.
    ///
    /// # Errors
    /// When the file cannot be opened, or another user may have planted it.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let (name, opened, terminal) = match path {
            None => ("standard output".into(), StreamWriter::stdout(), io::stdout().is_terminal()),
            Some(path) => (path.display().to_string(), destination::open_output(path).map(StreamWriter::of), false),
        };
        let writer = opened.map_err(|source| Failure::Output { to: name.clone(), source })?;
        Ok(Self { name, writer: BufWriter::with_capacity(64 << 10, writer), terminal })
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Columns of the terminal; 80 where there is none.
    pub fn width(&self) -> usize {
        self.size().map_or(80, |size| usize::from(size.ws_col))
    }

    /// Lines of the terminal as it is now; `None` where there is none, or where it does not say.
    pub fn lines(&self) -> Option<usize> {
        self.size().map(|size| usize::from(size.ws_row)).filter(|lines| *lines > 0)
    }

    fn size(&self) -> Option<Winsize> {
        self.terminal.then(|| tcgetwinsize(io::stdout()).ok()).flatten()
    }

    /// Whether colours are wanted there: not in a pipe, and not where NO_COLOR asks for none.
    pub fn colours(&self) -> bool {
        self.terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Whether the locale has more letters than ASCII.
    pub fn unicode(&self) -> bool {
        // The first that is set and not empty decides, locale(7).
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|name| !name.is_empty());
        locale.is_some_and(|name| {
            let name = name.to_string_lossy().to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        })
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When it cannot be written, a full disk for one; a closed pipe is no error.
    pub fn write(&mut self, text: &[u8]) -> Result<Written, Failure> {
        let result = self.writer.write_all(text);
        self.judge(result)
    }

    /// Makes sure that everything written so far is out.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush(&mut self) -> Result<Written, Failure> {
        let result = self.writer.flush();
        self.judge(result)
    }

    fn judge(&self, result: io::Result<()>) -> Result<Written, Failure> {
        match result {
            Ok(()) => Ok(Written::Yes),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Written::NobodyReads),
            Err(source) => Err(Failure::Output { to: self.name.clone(), source }),
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).finish_non_exhaustive()
    }
}
