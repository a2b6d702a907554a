// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets of one network namespace whose port carries the mark of a `bind()`: no list of sockets tells, so a program in
//! the kernel looks at the bucket of each.

use std::io::{self, Read as _};

use tcp_trace_common::bind::RawMark;
use zerocopy::FromBytes as _;

use crate::probes::iterator::Iterator;

/// Bytes of more sockets than are held of any namespace.
const LIMIT: u64 = 8 << 20;

/// Of the calling thread's namespace.
pub(super) fn read(program: &Iterator) -> io::Result<Vec<RawMark>> {
    let mut bytes = Vec::new();
    program.open()?.take(LIMIT).read_to_end(&mut bytes)?;
    let records = bytes.as_chunks::<{ size_of::<RawMark>() }>().0;
    Ok(records.iter().filter_map(|record| RawMark::read_from_bytes(record).ok()).collect())
}
