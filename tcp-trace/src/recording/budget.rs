// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits for reading a recording: a few kilobytes can claim millions of rows, and each of them costs memory and time.
//! Rows are counted before anything is read.

use super::{
    block::Kind,
    bytes::{Bytes, Malformed},
};

/// Upper limit of cells per block: those of half a million sockets, with a margin.
const MAX_CELLS: u64 = 1 << 25;
/// Upper limit of rows without bytes in a table: a table of one row may consist of zeros.
const FREE_ROWS: u64 = 64;
/// Upper limit of bytes and cells of any recording, however short.
const BASE: u64 = 1 << 26;
/// Additional limit per byte of the file; real recordings stay far below.
const PER_BYTE: u64 = 512;

/// Cost of reading a recording so far.
#[derive(Debug, Default)]
pub struct Budget {
    unlimited: bool,
    spent: u64,
    /// Cost of the last inventory and totals, which each interval processes again.
    inventory: u64,
    totals: u64,
}

impl Budget {
    /// A budget without limits, for recordings from a trusted source.
    pub fn unlimited() -> Self {
        Self { unlimited: true, ..Self::default() }
    }

    /// Charges a block, `read` bytes into the file.
    ///
    /// # Errors
    /// When it exceeds the limit for a recording of that length.
    pub fn charge(&mut self, kind: Kind, payload: &[u8], read: u64) -> Result<(), Malformed> {
        if self.unlimited {
            return Ok(());
        }
        let cells = cells(kind, payload)?;
        if cells > MAX_CELLS {
            return Err(Malformed::new(format!("{cells} cells in a block, more than the {MAX_CELLS} that are read")));
        }
        match kind {
            Kind::Inventory => self.inventory = cells,
            Kind::Totals | Kind::Counters => self.totals = self.totals.max(cells),
            _ => {}
        }
        let again = if matches!(kind, Kind::Tick | Kind::End) { self.inventory + self.totals } else { 0 };
        self.spent = self.spent.saturating_add(payload.len() as u64 + cells + again);
        if self.spent > BASE.saturating_add(read.saturating_mul(PER_BYTE)) {
            let words = format!("{read} bytes need more memory and work than any recording of that length");
            return Err(Malformed::new(words));
        }
        Ok(())
    }
}

/// Cells of all tables of a payload, from their headers; the reader rejects truncated tables.
fn cells(kind: Kind, payload: &[u8]) -> Result<u64, Malformed> {
    let mut rest = Bytes(payload);
    let heads = match kind {
        Kind::Events => 0,
        Kind::Baseline => 2,
        _ => 1,
    };
    for _ in 0..heads {
        let skipped = rest.u32().and_then(|len| rest.take(len as usize));
        if skipped.is_err() {
            return Ok(0);
        }
    }
    let mut cells = 0_u64;
    while !rest.0.is_empty() {
        let Ok((rows, columns, bytes)) = table(&mut rest) else { break };
        // The order of events is a table too, and all zeros if all events are of one signal.
        if kind != Kind::Events && rows > FREE_ROWS + bytes {
            return Err(Malformed::new(format!("{rows} rows in {bytes} bytes")));
        }
        cells = cells.saturating_add(rows * columns);
    }
    Ok(cells)
}

/// Rows, columns and bytes of the next table, which is skipped.
fn table(rest: &mut Bytes<'_>) -> Result<(u64, u64, u64), Malformed> {
    rest.name()?;
    let (rows, columns) = (rest.u32()?, rest.u16()?);
    let mut bytes = 0;
    for _ in 0..columns {
        rest.name()?;
        rest.take(3)?;
        let len = rest.u32()?;
        rest.take(len as usize)?;
        bytes += u64::from(len);
    }
    Ok((rows.into(), columns.into(), bytes))
}
