// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blocks of a recording: each has a kind, a length and a checksum of its own, and is compressed. A truncated file is
//! readable up to its last complete block.

use std::io::{self, Read};

use thiserror::Error;

use super::{
    bytes::{Bytes, Malformed},
    message::MAX_HEAD,
};

/// First bytes of a recording; a version of four bytes follows.
pub const MAGIC: [u8; 8] = *b"TCPTRACE";
/// Version of the block layout. The content of blocks is self-describing and needs none.
pub const VERSION: u32 = 1;
/// Length of the header of a block: kind, compressed length, uncompressed length, checksum of these and of what
/// follows.
const HEAD: usize = 16;
/// Upper limit of the length of a block, compressed or not, so that a reader knows what it may allocate.
const LONGEST: usize = 64 << 20;
/// The compression level with the lowest cost.
const LEVEL: i32 = 1;

/// Kind of a block. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// What is known before the first event.
    SessionInfo = 1,
    /// Counts before a recording that starts during a run.
    Baseline = 2,
    /// Events, in their order.
    Events = 3,
    /// The accounts.
    Counters = 4,
    /// The totals of the kernel side.
    Totals = 5,
    /// An inventory of the sockets.
    Inventory = 6,
    /// TIME_WAIT from /proc.
    TimeWait = 7,
    /// The end of an interval.
    Tick = 8,
    /// The end of the run.
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

/// First bytes of a file.
pub fn file_head() -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&VERSION.to_le_bytes());
    head
}

/// A sealed block; `None`: the payload is too long.
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
    /// The file is not a recording.
    #[error("not a recording of tcp-trace")]
    Foreign,
    /// The file has a newer block layout.
    #[error("format {0} of recordings, which this version does not know (it knows {VERSION})")]
    Newer(u32),
    /// The file ends within a block: its writer was stopped.
    #[error("cut off within a block, at byte {at}")]
    Cut {
        /// Offset of the end of the last complete block.
        at: u64,
    },
    /// A block has changed since it was written.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Offset of the end of the last complete block.
        at: u64,
        /// What is wrong.
        what: Malformed,
    },
    /// The next block exceeds the limits.
    #[error("stopped at byte {at}: {what}")]
    Costly {
        /// Offset of the end of the last complete block.
        at: u64,
        /// The limit that it exceeds.
        what: Malformed,
    },
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A block that was read.
#[derive(Debug)]
pub struct Block {
    /// The kind; `None`: unknown to this version.
    pub kind: Option<Kind>,
    /// The uncompressed payload.
    pub payload: Vec<u8>,
}

/// Reads the blocks of a file, one after another.
#[derive(Debug)]
pub struct Blocks<R> {
    from: R,
    at: u64,
}

impl<R: Read> Blocks<R> {
    /// Checks the first bytes of a file.
    ///
    /// # Errors
    /// When the file is not a recording.
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

    /// Number of bytes of complete blocks so far.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Reads the next block; `None`: the file ends.
    ///
    /// # Errors
    /// When what follows is not a complete block.
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
        // Reads only what exists, whatever length the header contains.
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

    /// An error for the block that was read last.
    pub fn damaged(&self, what: impl Into<String>) -> Broken {
        Broken::Damaged { at: self.at, what: Malformed::new(what) }
    }
}

/// Reads until the buffer is full or the input ends.
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
