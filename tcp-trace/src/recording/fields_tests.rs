// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two files that follow from the lists of fields and say when one of them changes: docs/fields.md, and
//! tests/golden/columns.txt with every column of a recording. `TCP_TRACE_BLESS=1 cargo test -p tcp-trace fields` writes
//! both anew.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{
    block::{Blocks, Kind as Block},
    bytes::Bytes,
    column::Kind,
    events::Events,
    message::{OwnedMessage, payload},
    sample::run,
    table::Read,
};
use crate::{
    event::{AddressExt as _, Cgroup, Comm, DropCause, End, Outcome, Side, SourcePort, signals},
    outside::Text,
};

#[path = "../../tests/support/golden.rs"]
mod golden;

/// A column of a table of a block.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    block: Block,
    table: String,
    name: String,
    kind: Kind,
}

/// The columns of all tables of a payload.
fn columns_of(block: Block, payload: &[u8]) -> Vec<Column> {
    let mut bytes = Bytes(payload);
    if block != Block::Events {
        let head = bytes.u32().expect("a length");
        bytes.take(head as usize).expect("a head");
    }
    let mut columns = Vec::new();
    while !bytes.0.is_empty() {
        let table = Read::parse(&mut bytes, usize::MAX).expect("a table");
        let name = table.name.to_owned();
        columns.extend(table.into_columns().iter().map(|column| Column {
            block,
            table: name.clone(),
            name: column.name.to_owned(),
            kind: column.kind,
        }));
    }
    columns
}

/// Every column that is written today.
fn columns() -> Vec<Column> {
    let mut events = Events::default();
    let mut columns: Vec<Column> = Vec::new();
    let mut add = |more: Vec<Column>| {
        for column in more {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    };
    for message in run() {
        match &message {
            OwnedMessage::Event(event) => events.push(event),
            other => {
                let (block, payload) = payload(other.as_message()).expect("a block of its own");
                add(columns_of(block, &payload));
            }
        }
    }
    add(columns_of(Block::Events, &events.payload()));
    columns
}

#[test]
fn columns_of_recordings_keep_their_names_and_kinds() {
    let line = |Column { block, table, name, kind }| format!("{block:?} {table} {name} {kind:?}\n");
    golden::check("columns.txt", &columns().into_iter().map(line).collect::<String>());
}

#[test]
fn columns_of_old_recordings_are_still_known() {
    let bytes = include_bytes!("../../tests/fixtures/recordings/layout-1.rec");
    let mut blocks = Blocks::open(&bytes[..]).expect("a recording");
    let known = columns();
    let mut seen = 0;
    while let Some(block) = blocks.read().expect("a whole block") {
        let kind = block.kind.expect("a kind that is known");
        if matches!(kind, Block::Events | Block::Counters | Block::Totals | Block::Inventory) {
            for column in columns_of(kind, &block.payload) {
                assert!(known.contains(&column), "{column:?} is not read any more");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen} columns are not all");
}

/// A type of fields in the words of the documentation.
trait Described {
    const TYPE: &'static str;
}

impl<T: Described> Described for Option<T> {
    const TYPE: &'static str = T::TYPE;
}

macro_rules! types {
    ($($name:literal: $($type:ty),*;)*) => {$($(
        impl Described for $type {
            const TYPE: &'static str = $name;
        }
    )*)*};
}

types! {
    "number": u16, u32, u64, i32;
    "boolean": bool;
    "time": Timestamp;
    "address": IpAddr;
    "text": &'static str, Text, Comm, Cgroup, Outcome, SourcePort, DropCause, End, Side;
}

fn type_of<E, T: Described>(_: impl Fn(&E) -> T) -> &'static str {
    T::TYPE
}

struct Entry {
    name: &'static str,
    doc: String,
    /// Its type in JSON and CSV; `None`: they do not have it.
    line: Option<&'static str>,
}

struct Signal {
    name: &'static str,
    about: String,
    entries: Vec<Entry>,
}

fn sentences(lines: &[&str]) -> String {
    lines.concat().trim().replace("[`Connect`](super::Connect)", "`connect` event")
}

macro_rules! described {
    ($(#[doc = $about:literal])* $event:ident $signal:literal {
        $($(#[doc = $doc:literal])* $name:literal $($field:ident: $type:ty)? $(=> $how:tt)?;)*
    }) => {
        Signal {
            name: $signal,
            about: sentences(&[$($about),*]),
            entries: vec![$(Entry {
                name: $name,
                doc: sentences(&[$($doc),*]),
                line: described!(@line $event [$($field)?] $($how)?),
            }),*],
        }
    };
    (@line $event:ident [$($field:ident)?] recorded) => { None };
    (@line $event:ident [$($field:ident)?] [$($path:tt)+]) => {
        Some(type_of(|event: &$crate::event::$event| (event $($path)+).clone()))
    };
    (@line $event:ident [$field:ident]) => { Some(type_of(|event: &$crate::event::$event| event.$field.clone())) };
}

macro_rules! all_described {
    ($($place:literal $event:ident $fields:ident $how:ident;)*) => { [$($crate::event::$fields!(described)),*] };
}

const ABOUT: &str = "\
# Fields of events

This file is written by a test from the lists of fields in `tcp-trace/src/event`. After a change there, run
`TCP_TRACE_BLESS=1 cargo test -p tcp-trace fields`.

*everywhere* is: in JSON lines (`--format json`), in Parquet and recordings, and for connects in CSV (`--format csv`), where
each field is a column in the order of this list. *JSON* fields of connects are in CSV, too. Times are RFC 3339 in UTC in JSON
and CSV, and nanoseconds since 1970 in Parquet. A value that is not known is `null` in JSON, empty in CSV and NULL in Parquet;
0 is always a measured value. Units are in the names. In recordings, a column of a group has a dot where Parquet has the
first underscore of its name: `range.low`. Beside its fields, each JSON line has the version of the format as `v` and
the name of the signal as `type`.
";

/// What the entry of a group does not say about a column that only recordings and Parquet have.
const COLUMNS_OF_GROUPS: [(&str, &str); 7] = [
    ("cgroup_id", "Id of the cgroup v2. Null if it is not known."),
    ("client_addr", "Address of the client. Null if it is not known."),
    ("client_port", "Port of the client. Null if it is not known."),
    ("frames_0", "Innermost return address on the user stack. 0 if there is none."),
    ("frames_1", "Return address of the caller of `frames_0`. 0 if there is none."),
    ("frames_2", "Return address of the caller of `frames_1`. 0 if there is none."),
    ("frames_3", "Return address of the caller of `frames_2`. 0 if there is none."),
];

#[test]
fn fields_are_documented() {
    let columns = columns();
    let mut text = ABOUT.to_owned();
    for signal in signals!(all_described) {
        let table: Vec<_> = columns
            .iter()
            .filter(|column| column.block == Block::Events && column.table == signal.name)
            .map(|column| (column.name.replace('.', "_"), column.kind))
            .collect();
        assert!(!table.is_empty(), "no {} in the sample", signal.name);
        text += &format!("\n## {}\n\n{}\n\n| field | type | in | |\n|---|---|---|---|\n", signal.name, signal.about);
        for Entry { name, doc, line } in &signal.entries {
            assert!(doc.ends_with('.'), "{name} of {} is not documented in whole sentences", signal.name);
            if let Some(kind) = line {
                let places = if table.iter().any(|(column, _)| column == name) { "everywhere" } else { "JSON" };
                text += &format!("| `{name}` | {kind} | {places} | {doc} |\n");
            }
        }
        let in_lines = |column: &str| signal.entries.iter().any(|entry| entry.line.is_some() && entry.name == column);
        for (column, kind) in table.iter().filter(|(column, _)| !in_lines(column)) {
            let kind = match kind {
                Kind::Timestamp => "time",
                Kind::Address => "address",
                Kind::Text | Kind::Bytes => "text",
                Kind::Bool => "boolean",
                Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::I64 | Kind::F64 => "number",
            };
            let of_a_group = COLUMNS_OF_GROUPS.iter().find(|(name, _)| name == column).map(|(_, doc)| *doc);
            let entry = signal.entries.iter().find(|entry| entry.name == column);
            let doc = of_a_group.or(entry.map(|entry| &*entry.doc));
            let doc = doc.unwrap_or_else(|| panic!("{column} of {} is not documented", signal.name));
            text += &format!("| `{column}` | {kind} | Parquet | {doc} |\n");
        }
    }
    golden::check("../../../docs/fields.md", &text);
}
