// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the list of a signal's fields is read.
//!
//! Each signal has one list: the macro `connect_fields!` in `connect.rs`, `bind_fields!` in `bind.rs` and so on. It passes
//! all entries to the macro that the caller names, so everything that is made of a signal is made of the same list:
//!
//! | made of the list | by the macro | in |
//! |---|---|---|
//! | the struct | `structure!` | this file |
//! | the JSON line and the CSV row | `lines!` | `export/fields.rs` |
//! | the columns of recordings and Parquet | `columns!` | `recording/cells/events.rs` |
//! | docs/fields.md | `described!` | `recording/fields_tests.rs` |
//!
//! An entry has a sentence that documents it, a name of its own, and one of these forms. The name is the JSON key, the
//! CSV column and the column of recordings and Parquet; a field of the struct can be renamed without changing it.
//!
//! ```text
//! "name" field: Type;                  a field of the struct, written to every format
//! "name" field: Type => recorded;      a field of the struct, only in recordings and Parquet
//! "name" field: Type => [.expression]; the same, but JSON and CSV write `event.expression` under that name
//! "name" => [.expression];             only in JSON and CSV: follows from other fields
//! ```
//!
//! The type says how a value is written: `export/fields.rs` has it for JSON and CSV, `recording/cells/values.rs` for
//! recordings. A type of several columns appends their names to that of its entry (`range` gives `range.low`); under
//! the name `""` its columns are named as they are.

/// Declares the struct of an event: the entries of its list that have a field.
macro_rules! structure {
    (@fields ($($head:tt)*) { $($fields:tt)* }) => {
        $($head)* { $($fields)* }
    };
    (
        @fields $head:tt { $($fields:tt)* }
        $(#[$doc:meta])* $column:literal $field:ident: $type:ty $(=> $how:tt)?; $($rest:tt)*
    ) => {
        structure!(@fields $head { $($fields)* $(#[$doc])* pub $field: $type, } $($rest)*);
    };
    (@fields $head:tt $fields:tt $(#[$doc:meta])* $name:literal => $how:tt; $($rest:tt)*) => {
        structure!(@fields $head $fields $($rest)*);
    };
    ($(#[$doc:meta])* $event:ident $signal:literal { $($entries:tt)* }) => {
        structure!(@fields ($(#[$doc])* #[derive(Clone, Debug, PartialEq)] pub struct $event) {} $($entries)*);
    };
}
pub(super) use structure;
