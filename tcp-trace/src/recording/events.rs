// SPDX-License-Identifier: MIT OR Apache-2.0
//! A batch of events: a table per signal, and a table of their order.

use super::{
    bytes::{Bytes, Malformed},
    table::{Read, Table},
};
use crate::event::Event;

/// Number of events in a full batch.
pub const FULL: u32 = 1 << 14;

/// Number of bytes of names and frames in a full batch, far below the limit of a block.
const FULL_BYTES: usize = 16 << 20;

/// Names of the tables. Names and indices are part of the format.
const TABLES: [&str; 7] = ["connect", "time_wait", "listen_drop", "bind", "state", "detail", "stack"];
const ORDER: &str = "order";

/// Events that wait to be written.
#[derive(Debug, Default)]
pub struct Events {
    order: Table,
    tables: [Table; TABLES.len()],
}

impl Events {
    /// Adds an event, unless it follows from other data.
    pub fn push(&mut self, event: &Event) {
        let place = match event {
            Event::Connect(connect) => self.put(0, connect),
            Event::TimeWait(time_wait) => self.put(1, time_wait),
            Event::ListenDrop(dropped) => self.put(2, dropped),
            Event::Bind(bind) => self.put(3, bind),
            Event::State(state) => self.put(4, state),
            Event::Detail(detail) => self.put(5, detail),
            Event::Stack(stack) => self.put(6, stack),
            // The accounts contain it, and consumers compute the difference.
            Event::Lost(_) => return,
        };
        self.order.push(&place);
    }

    fn put(&mut self, place: u8, row: &impl super::cells::Cells) -> u8 {
        self.tables[usize::from(place)].push(row);
        place
    }

    /// Number of events.
    pub fn count(&self) -> u32 {
        self.order.rows()
    }

    /// Whether the batch is full.
    pub fn are_many(&self) -> bool {
        self.count() >= FULL || self.tables.iter().map(Table::held).sum::<usize>() >= FULL_BYTES
    }

    /// Non-empty tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &Table)> {
        TABLES.into_iter().zip(&self.tables).filter(|(_, table)| table.rows() > 0)
    }

    /// The payload of a block.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        self.order.encode(ORDER, &mut payload);
        for (name, table) in self.tables() {
            table.encode(name, &mut payload);
        }
        payload
    }

    /// Passes the events of a payload to `visit`, in order.
    ///
    /// # Errors
    /// When the payload is invalid; the first error of `visit`.
    pub fn read<E: From<Malformed>>(
        bytes: &mut Bytes<'_>,
        mut visit: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut order = None;
        let mut tables: [Option<Read<'_>>; TABLES.len()] = Default::default();
        while !bytes.0.is_empty() {
            let table = Read::parse(bytes, FULL as usize)?;
            match TABLES.iter().position(|name| *name == table.name) {
                Some(place) => tables[place] = Some(table),
                None if table.name == ORDER => order = Some(table),
                // A signal that is unknown to this version.
                None => {}
            }
        }
        let mut order = order.ok_or_else(|| Malformed::new("events without an order"))?;
        for _ in 0..order.rows() {
            let place: u8 = order.row()?;
            let Some(table) = tables.get_mut(usize::from(place)) else { continue };
            let table = table.as_mut().ok_or_else(|| Malformed::new("an event of a signal without a table"))?;
            visit(match place {
                0 => Event::Connect(table.row()?),
                1 => Event::TimeWait(table.row()?),
                2 => Event::ListenDrop(table.row()?),
                3 => Event::Bind(table.row()?),
                4 => Event::State(table.row()?),
                5 => Event::Detail(table.row()?),
                _ => Event::Stack(table.row()?),
            })?;
        }
        Ok(())
    }
}
