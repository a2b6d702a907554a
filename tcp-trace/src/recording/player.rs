// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads a recording, message by message, and reports how it ends.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use super::{
    baseline::ParsedBaseline,
    block::{Blocks, Broken, Kind},
    budget::Budget,
    bytes::{Bytes, Malformed},
    message::{OwnedMessage, read, take_head},
};
use crate::{
    clock::Moment,
    exit::{Failure, Tried},
    session_info::SessionInfo,
};

/// How a recording ends.
#[derive(Debug)]
pub enum Ending {
    /// Completely, at the end of the run.
    Whole,
    /// After a complete block, or within a block, before the end of the run: its writer was stopped, or is still
    /// writing.
    Cut,
    /// Nothing can be read from here on.
    Damaged(Broken),
}

/// Why reading stops.
enum Stopped {
    Malformed(Malformed),
    Failure(Failure),
}

impl From<Malformed> for Stopped {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// A recording that is being read.
#[derive(Debug)]
pub struct Player<R> {
    blocks: Blocks<R>,
    budget: Budget,
    known: SessionInfo,
    base: Option<ParsedBaseline>,
    /// Number of blocks of unknown kinds.
    unknown: u64,
    /// The last time in a message.
    last: Moment,
}

impl Player<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is not a recording, or nothing of it can be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let opened = File::open(path).map_err(Broken::Io).and_then(|file| Self::new(BufReader::new(file)));
        opened.map_err(|broken| unreadable(path, &broken))
    }
}

impl<R: Read> Player<R> {
    /// Reads up to the first message.
    ///
    /// # Errors
    /// When the input is not a recording, or nothing of it can be read.
    pub fn new(from: R) -> Result<Self, Broken> {
        let mut blocks = Blocks::open(from)?;
        let first = blocks.read()?.ok_or(Broken::Cut { at: 0 })?;
        let known: SessionInfo = match first.kind {
            Some(Kind::SessionInfo) => {
                take_head(&mut Bytes(&first.payload)).map_err(|error| blocks.damaged(error.to_string()))?
            }
            _ => return Err(blocks.damaged("it does not start with its session block")),
        };
        Ok(Self { blocks, budget: Budget::default(), last: known.begin, known, base: None, unknown: 0 })
    }

    /// Removes the limits on time and memory, for recordings from a trusted source.
    #[must_use]
    pub fn unlimited(self) -> Self {
        Self { budget: Budget::unlimited(), ..self }
    }

    /// What was known before the first event.
    pub fn known(&self) -> &SessionInfo {
        &self.known
    }

    /// Number of bytes of the file that were read.
    pub fn bytes_read(&self) -> u64 {
        self.blocks.at()
    }

    /// The last time in a message.
    pub fn last(&self) -> Moment {
        self.last
    }

    /// Number of blocks of unknown kinds so far.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Passes the content of the next block to `visit`; returns the ending if there is none.
    ///
    /// # Errors
    /// The first error of `visit`.
    pub fn block(
        &mut self,
        mut visit: impl FnMut(OwnedMessage) -> Result<(), Failure>,
    ) -> Result<Option<Ending>, Failure> {
        let block = match self.blocks.read() {
            Ok(Some(block)) => block,
            Ok(None) | Err(Broken::Cut { .. }) => return Ok(Some(Ending::Cut)),
            Err(broken) => return Ok(Some(Ending::Damaged(broken))),
        };
        let Some(kind) = block.kind else {
            self.unknown += 1;
            return Ok(None);
        };
        if let Err(malformed) = self.budget.charge(kind, &block.payload, self.blocks.at()) {
            return Ok(Some(Ending::Damaged(Broken::Costly { at: self.blocks.at(), what: malformed })));
        }
        if kind == Kind::Baseline {
            return Ok(match ParsedBaseline::read(&block.payload) {
                Ok(base) => {
                    self.base = Some(base);
                    None
                }
                Err(malformed) => Some(Ending::Damaged(self.blocks.damaged(malformed.0))),
            });
        }
        let (base, last) = (&mut self.base, &mut self.last);
        let told = read(kind, &block.payload, |mut message| {
            match (&mut message, base.as_mut()) {
                (OwnedMessage::Counters(counters), Some(base)) => base.subtract_from_counters(counters),
                (OwnedMessage::Totals(totals), Some(base)) => base.subtract_from_totals(totals),
                (OwnedMessage::Tick(moment) | OwnedMessage::End(moment), _) => *last = *moment,
                _ => {}
            }
            visit(message).map_err(Stopped::Failure)
        });
        match told {
            Ok(()) => Ok((kind == Kind::End).then_some(Ending::Whole)),
            Err(Stopped::Failure(failure)) => Err(failure),
            Err(Stopped::Malformed(malformed)) => Ok(Some(Ending::Damaged(self.blocks.damaged(malformed.0)))),
        }
    }
}

fn unreadable(path: &Path, broken: &Broken) -> Failure {
    Failure::Failed {
        headline: format!("{} cannot be replayed", path.display()),
        tried: vec![Tried::new("read", broken.to_string())],
        try_next: vec![match broken {
            Broken::Newer(_) => "use the version of tcp-trace that wrote it, or a later one".into(),
            Broken::Foreign | Broken::Io(_) => "make a recording with `tcp-trace record FILE`".into(),
            Broken::Cut { .. } | Broken::Damaged { .. } | Broken::Costly { .. } => {
                "use another copy: nothing of this one can be read".into()
            }
        }],
    }
}
