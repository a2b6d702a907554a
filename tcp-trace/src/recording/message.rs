// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages as payloads of blocks, and back. Single values are JSON, lists are tables.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    block::Kind,
    bytes::{Bytes, Malformed},
    cells::Cells,
    events::Events,
    inventory,
    table::{Read, Table},
};
use crate::{
    clock::Moment,
    event::Event,
    governor::CounterSnapshot,
    inventory::Inventory,
    model::{
        folded::{FoldedPhase, MOST},
        time_wait::TimeWaitSnapshot,
        totals::{BindTotals, Merged, Totals},
    },
    outside,
    stream::Message,
};

/// Upper limit of rows in a table: twice the sockets of an inventory.
pub const ROWS: usize = 1 << 20;

/// Upper limit of the JSON header: a thousand network namespaces with all counters. Parsing takes several times that.
pub const MAX_HEAD: usize = 16 << 20;

/// A message that owns its content.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are events, which need no memory of their own")]
pub enum OwnedMessage {
    /// See [`Message`].
    Event(Event),
    /// See [`Message`].
    Counters(Box<CounterSnapshot>),
    /// See [`Message`].
    Totals(Box<Totals>),
    /// See [`Message`].
    TimeWait(TimeWaitSnapshot),
    /// See [`Message`].
    Inventory(Box<Inventory>),
    /// See [`Message`].
    Tick(Moment),
    /// See [`Message`].
    End(Moment),
}

impl OwnedMessage {
    /// The message as it travels.
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Event(event) => Message::Event(event),
            Self::Counters(counters) => Message::Counters(counters),
            Self::Totals(totals) => Message::Totals(totals),
            Self::TimeWait(sampled) => Message::TimeWait(sampled),
            Self::Inventory(inventory) => Message::Inventory(inventory),
            Self::Tick(moment) => Message::Tick(*moment),
            Self::End(moment) => Message::End(*moment),
        }
    }
}

/// The block of a message; `None`: an event, because events are written in batches.
pub fn payload(message: Message<'_>) -> Option<(Kind, Vec<u8>)> {
    Some(match message {
        Message::Event(_) => return None,
        Message::Counters(counters) => (Kind::Counters, put_stock(counters)),
        Message::Totals(totals) => (Kind::Totals, put_totals(totals)),
        Message::TimeWait(sampled) => (Kind::TimeWait, head(sampled)),
        Message::Inventory(inventory) => (Kind::Inventory, inventory::put(inventory)),
        Message::Tick(moment) => (Kind::Tick, head(&moment)),
        Message::End(moment) => (Kind::End, head(&moment)),
    })
}

/// Passes the content of a block to `visit`, in order.
///
/// # Errors
/// When the content does not match its kind; the first error of `visit`.
pub fn read<E: From<Malformed>>(
    kind: Kind,
    payload: &[u8],
    mut visit: impl FnMut(OwnedMessage) -> Result<(), E>,
) -> Result<(), E> {
    let bytes = &mut Bytes(payload);
    match kind {
        Kind::Events => Events::read(bytes, |event| visit(OwnedMessage::Event(event))),
        Kind::Counters => visit(OwnedMessage::Counters(Box::new(poll_counters(bytes)?))),
        Kind::Totals => visit(OwnedMessage::Totals(Box::new(take_totals(bytes)?))),
        Kind::TimeWait => visit(OwnedMessage::TimeWait(take_head(bytes)?)),
        Kind::Inventory => visit(OwnedMessage::Inventory(Box::new(inventory::take(bytes)?))),
        Kind::Tick => visit(OwnedMessage::Tick(take_head(bytes)?)),
        Kind::End => visit(OwnedMessage::End(take_head(bytes)?)),
        Kind::SessionInfo | Kind::Baseline => Ok(()),
    }
}

/// A header: length and JSON.
pub fn head<T: Serialize>(value: &T) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("numbers, words and lists, with words for keys");
    let mut payload = Vec::with_capacity(json.len() + 4);
    payload.extend((json.len() as u32).to_le_bytes());
    payload.extend(json);
    payload
}

/// Reads a header.
///
/// # Errors
/// When it is invalid.
pub fn take_head<T: DeserializeOwned>(bytes: &mut Bytes<'_>) -> Result<T, Malformed> {
    let len = bytes.u32()? as usize;
    if len > MAX_HEAD {
        return Err(Malformed::new(format!("a header of {len} bytes, more than the {MAX_HEAD} that are read")));
    }
    let malformed = |error: serde_json::Error| Malformed::new(error.to_string());
    let mut value: serde_json::Value = serde_json::from_slice(bytes.take(len)?).map_err(malformed)?;
    outside::clean(&mut value);
    serde_json::from_value(value).map_err(malformed)
}

/// The tables after a header, by name.
pub struct Tables<'a>(Vec<Read<'a>>);

impl<'a> Tables<'a> {
    /// Reads all tables.
    ///
    /// # Errors
    /// When a table is invalid.
    pub fn read(bytes: &mut Bytes<'a>) -> Result<Self, Malformed> {
        let mut tables = Vec::new();
        while !bytes.0.is_empty() {
            tables.push(Read::parse(bytes, ROWS)?);
        }
        Ok(Self(tables))
    }

    /// The rows of a table; empty if it was never written.
    ///
    /// # Errors
    /// When the rows have other columns.
    pub fn rows<R: Cells>(&mut self, name: &str) -> Result<Vec<R>, Malformed> {
        self.0.iter_mut().find(|table| table.name == name).map_or(Ok(Vec::new()), Read::all)
    }
}

/// Appends a table of these rows.
pub fn put_table<'r, R: Cells + 'r>(to: &mut Vec<u8>, name: &str, rows: impl IntoIterator<Item = &'r R>) {
    Table::of(rows).encode(name, to);
}

const CONNECTS: &str = "connects";
const OTHER_CONNECTS: &str = "other_connects";

fn put_stock(counters: &CounterSnapshot) -> Vec<u8> {
    let mut payload = head(counters);
    if let Some(folded) = &counters.folded {
        put_table(&mut payload, CONNECTS, &folded.rows);
        put_table(&mut payload, OTHER_CONNECTS, [&folded.other]);
    }
    payload
}

fn poll_counters(bytes: &mut Bytes<'_>) -> Result<CounterSnapshot, Malformed> {
    let mut counters: CounterSnapshot = take_head(bytes)?;
    let mut tables = Tables::read(bytes)?;
    if let Some(folded) = &mut counters.folded {
        folded.rows = tables.rows(CONNECTS)?;
        folded.other = tables.rows(OTHER_CONNECTS)?.pop().unwrap_or_default();
        let mut counts = folded.rows.iter().map(|row| &row.counts).chain([&folded.other]);
        if counts.any(|counts| counts.attempts() > MOST) {
            return Err(Malformed::new("a row of more attempts than can have been counted"));
        }
    }
    Ok(counters)
}

/// The accounts of a block, without its rows.
pub fn books(payload: &[u8]) -> &[u8] {
    let len = payload.first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
    payload.get(..len + 4).unwrap_or_default()
}

/// Single values of totals.
#[derive(Serialize, Deserialize)]
struct TotalsHead {
    read_ns: u64,
    sees_listeners: bool,
    bind_any_port: FoldedPhase,
    bind_a_port: FoldedPhase,
}

fn put_totals(totals: &Totals) -> Vec<u8> {
    let binds = &totals.binds;
    let mut payload = head(&TotalsHead {
        read_ns: totals.read_ns,
        sees_listeners: totals.listeners.is_some(),
        bind_any_port: binds.any_port.clone(),
        bind_a_port: binds.a_port.clone(),
    });
    put_table(&mut payload, "time_wait", &totals.time_wait);
    put_table(&mut payload, "listeners", totals.listeners.iter().flatten());
    put_table(&mut payload, "binders", &binds.binders);
    put_table(&mut payload, "bind_sites", &binds.sites);
    put_table(&mut payload, "time_wait_owners", &totals.time_wait_owners);
    put_table(&mut payload, "states", &totals.states);
    put_table(&mut payload, "cgroups", &totals.cgroups);
    let merged = &totals.merged;
    put_table(&mut payload, "merged_time_wait", &merged.time_wait);
    put_table(&mut payload, "merged_listeners", &merged.listeners);
    put_table(&mut payload, "merged_binders", &merged.binders);
    put_table(&mut payload, "merged_time_wait_owners", &merged.time_wait_owners);
    put_table(&mut payload, "merged_states", &merged.states);
    payload
}

/// Reads totals that [`payload`] wrote.
///
/// # Errors
/// When the payload is invalid.
pub fn take_totals(bytes: &mut Bytes<'_>) -> Result<Totals, Malformed> {
    let head: TotalsHead = take_head(bytes)?;
    let mut tables = Tables::read(bytes)?;
    Ok(Totals {
        time_wait: tables.rows("time_wait")?,
        listeners: if head.sees_listeners { Some(tables.rows("listeners")?) } else { None },
        binds: BindTotals {
            binders: tables.rows("binders")?,
            sites: tables.rows("bind_sites")?,
            any_port: head.bind_any_port,
            a_port: head.bind_a_port,
        },
        time_wait_owners: tables.rows("time_wait_owners")?,
        states: tables.rows("states")?,
        cgroups: tables.rows("cgroups")?,
        merged: Merged {
            time_wait: tables.rows("merged_time_wait")?,
            listeners: tables.rows("merged_listeners")?,
            binders: tables.rows("merged_binders")?,
            time_wait_owners: tables.rows("merged_time_wait_owners")?,
            states: tables.rows("merged_states")?,
        },
        read_ns: head.read_ns,
    })
}
