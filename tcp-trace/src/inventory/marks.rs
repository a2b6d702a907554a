// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets of one network namespace whose port carries the mark of a `bind()`, which no socket listing exposes: a
//! program in the kernel reads the bucket of each socket.

use std::io::{self, Read as _};

use tcp_trace_common::bind::RawMark;
use zerocopy::FromBytes as _;

use crate::probes::iterator::Iterator;

/// Upper limit in bytes, above that of all sockets kept per namespace.
const LIMIT: u64 = 8 << 20;

/// Reads the marks of the calling thread's namespace.
pub(super) fn read(program: &Iterator) -> io::Result<Vec<RawMark>> {
    let mut bytes = Vec::new();
    program.open()?.take(LIMIT).read_to_end(&mut bytes)?;
    let records = bytes.as_chunks::<{ size_of::<RawMark>() }>().0;
    Ok(records.iter().filter_map(|record| RawMark::read_from_bytes(record).ok()).collect())
}
