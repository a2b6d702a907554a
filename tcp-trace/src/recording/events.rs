// SPDX-License-Identifier: MIT OR Apache-2.0
//! A batch of events: a table per signal, and a table of their order.

use super::{
    bytes::{Bytes, Malformed},
    cells::{Cells, EventTable},
    table::{Read, Table},
};
use crate::event::{Detail, Event, signals};

/// Number of events in a full batch.
pub const FULL: u32 = 1 << 14;

/// Number of bytes of names and frames in a full batch, far below the limit of a block.
const FULL_BYTES: usize = 16 << 20;

/// Name of the table that says in which order the events came.
const ORDER: &str = "order";
/// Place of the table of `detail`, which is no signal.
const DETAIL: u8 = 5;

/// Events that wait to be written.
#[derive(Debug, Default)]
pub struct Events {
    order: Table,
    tables: [Table; TABLES.len()],
}

/// Makes what depends on which signals there are.
macro_rules! tables {
    ($($place:literal $event:ident $fields:ident $how:ident;)*) => {
        /// The tables, by their places. Names and places are part of the format.
        const TABLES: [&str; [$($place,)* DETAIL].len()] = {
            let mut names = [""; [$($place,)* DETAIL].len()];
            names[DETAIL as usize] = Detail::NAME;
            $(names[$place] = <$crate::event::$event as EventTable>::NAME;)*
            names
        };

        impl Events {
            /// Adds one, unless it is one that follows from others.
            pub fn push(&mut self, event: &Event) {
                let place = match event {
                    $(Event::$event(row) => self.put($place, row),)*
                    Event::Detail(row) => self.put(DETAIL, row),
                    // The counters hold it, and consumers compute the difference.
                    Event::Lost(_) => return,
                };
                self.order.push(&place);
            }
        }

        /// The next event of the table at this place.
        fn row(place: u8, table: &mut Read<'_>) -> Result<Event, Malformed> {
            Ok(match place {
                $($place => Event::$event(table.row()?),)*
                _ => Event::Detail(table.row()?),
            })
        }
    };
}

signals!(tables);

impl Events {
    fn put(&mut self, place: u8, row: &impl Cells) -> u8 {
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
            visit(row(place, table)?)?;
        }
        Ok(())
    }
}
