// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blocks of a recording: each says what it is and how long, is compressed, and has a checksum of its own. A file that
//! was cut off is whole up to its last complete block.

use std::io::{self, Read};

use thiserror::Error;

use super::{
    bytes::{Bytes, Malformed},
    message::MAX_HEAD,
};

/// What a recording begins with; a version follows, in four bytes.
pub const MAGIC: [u8; 8] = *b"TCPTRACE";
/// Of the layout of blocks. What is in them says of itself what it is, and needs none.
pub const VERSION: u32 = 1;
/// Baseline each block: kind, length as compressed, length as it was, checksum of these and what follows.
const HEAD: usize = 16;
/// No block of ours is longer, compressed or not: whoever reads one knows what it may take.
const LONGEST: usize = 64 << 20;
/// The level that costs the machine least.
const LEVEL: i32 = 1;

/// What is in a block. The numbers stand in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// What is known before the first event.
    SessionInfo = 1,
    /// What had been counted before: a recording that begins in the middle of a run.
    Baseline = 2,
    /// Events, in their order.
    Events = 3,
    /// The books.
    Counters = 4,
    /// The totals of the kernel side.
    Totals = 5,
    /// Sockets.
    Inventory = 6,
    /// TIME_WAIT from /proc.
    TimeWait = 7,
    /// An interval ends.
    Tick = 8,
    /// The run ends.
    End = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::SessionInfo,
        Self::Baseline,
        Self::Events,
        Self::Counters,
        Self::Totals,
        Self::Inventory,
        Self::TimeWait,
        Self::Tick,
        Self::End,
    ];

    fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// What a file begins with.
pub fn file_head() -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&VERSION.to_le_bytes());
    head
}

/// A block as it is written; `None`: it is longer than any may be.
pub fn seal(kind: Kind, payload: &[u8]) -> Option<Vec<u8>> {
    let head = payload.first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
    if kind != Kind::Events && head > MAX_HEAD && head < payload.len() {
        return None;
    }
    let compressed =
        zstd::bulk::compress(payload, LEVEL).ok().filter(|bytes| bytes.len().max(payload.len()) <= LONGEST)?;
    let mut block = Vec::with_capacity(HEAD + compressed.len());
    block.extend((kind as u32).to_le_bytes());
    block.extend((compressed.len() as u32).to_le_bytes());
    block.extend((payload.len() as u32).to_le_bytes());
    block.extend(checksum(&block, &compressed).to_le_bytes());
    block.extend(compressed);
    Some(block)
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(payload);
    sum.finalize()
}

/// Why no further block can be read.
#[derive(Debug, Error)]
pub enum Broken {
    /// It is something else.
    #[error("not a recording of tcp-trace")]
    Foreign,
    /// Its blocks are laid out otherwise.
    #[error("format {0} of recordings, which this version does not know (it knows {VERSION})")]
    Newer(u32),
    /// It ends within a block: whoever wrote it was stopped.
    #[error("cut off within a block, at byte {at}")]
    Cut {
        /// Where the last whole block ends.
        at: u64,
    },
    /// A block is not what was written.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Where the last whole block ends.
        at: u64,
        /// What is wrong.
        what: Malformed,
    },
    /// What follows takes more than it may.
    #[error("stopped at byte {at}: {what}")]
    Costly {
        /// Where the last whole block ends.
        at: u64,
        /// What it would take.
        what: Malformed,
    },
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A block as it was read.
#[derive(Debug)]
pub struct Block {
    /// `None`: of a kind that this version does not know.
    pub kind: Option<Kind>,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// Blocks of a file, one after another.
#[derive(Debug)]
pub struct Blocks<R> {
    from: R,
    at: u64,
}

impl<R: Read> Blocks<R> {
    /// Of what begins as a recording does.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(mut from: R) -> Result<Self, Broken> {
        let mut head = [0; 12];
        let read = fill(&mut from, &mut head)?;
        if head[..8] != MAGIC {
            return Err(Broken::Foreign);
        }
        let version = u32::from_le_bytes(head[8..].try_into().expect("four bytes"));
        match version {
            _ if read < head.len() => Err(Broken::Cut { at: 0 }),
            VERSION => Ok(Self { from, at: read as u64 }),
            newer => Err(Broken::Newer(newer)),
        }
    }

    /// Bytes read so far, all of them of whole blocks.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next one; `None`: the file ends.
    ///
    /// # Errors
    /// When what follows is no whole block.
    pub fn read(&mut self) -> Result<Option<Block>, Broken> {
        let mut head = [0; HEAD];
        match fill(&mut self.from, &mut head)? {
            0 => return Ok(None),
            HEAD => {}
            _ => return Err(Broken::Cut { at: self.at }),
        }
        let mut words = Bytes(&head);
        let mut word = || words.u32().map(|word| word as usize).expect("as many as there are");
        let (kind, len, raw_len, sum) = (word() as u32, word(), word(), word() as u32);
        if len.max(raw_len) > LONGEST {
            return Err(self.damaged(format!("a block of {} bytes, more than any block has", len.max(raw_len))));
        }
        let mut compressed = Vec::new();
        // As much as is there, however much the head promises.
        if (&mut self.from).take(len as u64).read_to_end(&mut compressed)? < len {
            return Err(Broken::Cut { at: self.at });
        }
        if checksum(&head[..12], &compressed) != sum {
            return Err(self.damaged("its checksum does not match"));
        }
        let kind = Kind::of(kind);
        let payload = match kind {
            Some(_) => zstd::bulk::decompress(&compressed, raw_len).map_err(|error| self.damaged(error.to_string()))?,
            None => Vec::new(),
        };
        if kind.is_some() && payload.len() != raw_len {
            return Err(self.damaged("its length does not match its header"));
        }
        self.at += (HEAD + len) as u64;
        Ok(Some(Block { kind, payload }))
    }

    /// What was read last makes no sense.
    pub fn damaged(&self, what: impl Into<String>) -> Broken {
        Broken::Damaged { at: self.at, what: Malformed::new(what) }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
