// SPDX-License-Identifier: MIT OR Apache-2.0
//! A report that is written once, all of it, at the end.

use std::{io::Write as _, path::Path};

use super::live;
use crate::{
    exit::Failure,
    export::{sink::Sink, whole_file::WholeFile},
    view::screen::Layout,
};

/// Where the report is written.
pub struct Page {
    sink: Sink,
    /// The output file, under its temporary name. It is created before tracing starts, so that a path that cannot be
    /// written fails early.
    file: Option<WholeFile>,
}

impl Page {
    /// Opens standard output, or a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let file = path.map(WholeFile::create).transpose()?;
        Ok(Self { sink: Sink::open(None)?, file })
    }

    /// The size and style of text; `top` rows per table.
    pub fn layout(&self, top: u16, verbose: u8) -> Layout {
        let layout = live::layout(top, verbose, &self.sink);
        match self.file {
            Some(_) => Layout { width: 80, colours: false, ..layout },
            None => layout,
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(mut self, report: &[u8]) -> Result<(), Failure> {
        let Some(mut file) = self.file else {
            self.sink.write(report)?;
            return self.sink.flush().map(|_| ());
        };
        match file.write_all(report) {
            Ok(()) => file.keep(),
            Err(source) => Err(Failure::Output { to: "the report".into(), source }),
        }
    }
}
