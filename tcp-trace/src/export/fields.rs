// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events as the fields of a JSON line and of a CSV row: both follow from the lists in `event`, by the same code.
//!
//! Each event has some thirty fields, so the list becomes straight code for each format, and a [`Value`] is never more
//! than a step in between.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{
    event::{AddressExt as _, Cgroup, Comm, DropCause, End, Outcome, Side, SourcePort, signals},
    outside::Text,
};

/// What is written in a field.
pub(super) enum Value<'a> {
    /// Not known.
    Unknown,
    /// A number without a sign.
    Number(u64),
    /// A number with a sign.
    Signed(i64),
    /// True or false.
    Flag(bool),
    /// A time of the wall clock.
    Time(Timestamp),
    /// An IP address.
    Address(IpAddr),
    /// A word of tcp-trace: nothing in it has to be escaped.
    Word(&'static str),
    /// The name of a thread: anything may be in it.
    Comm(&'a Comm),
    /// Text from outside: anything may be in it.
    Text(&'a str),
    /// A cgroup without a path: its id.
    CgroupId(u64),
}

/// A type that fields have, as what is written.
pub(super) trait Field {
    /// The value of this field.
    fn value(&self) -> Value<'_>;
}

/// A format that fields are written to, one after another.
pub(super) trait Format {
    /// Writes one field. `key` is its name as JSON has it: behind a comma, quoted, before a colon.
    fn field(&mut self, key: &'static str, value: Value<'_>);
}

/// An event that has a line in JSON and in CSV.
pub(super) trait Lines {
    /// Its `type` in JSON.
    const SIGNAL: &'static str;

    /// Gives the names of its fields, in order.
    fn names(name: impl FnMut(&'static str));

    /// Writes its fields, in order.
    fn write(&self, to: &mut impl Format);
}

/// Makes [`Lines`] of the list of an event.
macro_rules! lines {
    ($(#[$about:meta])* $event:ident $signal:literal {
        $($(#[$doc:meta])* $name:literal $($field:ident: $type:ty)? $(=> $how:tt)?;)*
    }) => {
        impl Lines for $crate::event::$event {
            const SIGNAL: &'static str = $signal;

            fn names(mut name: impl FnMut(&'static str)) {
                $(lines!(@name name $name $($how)?);)*
            }

            #[inline]
            fn write(&self, to: &mut impl Format) {
                $(lines!(@field to self $name [$($field)?] $($how)?);)*
            }
        }
    };
    (@name $to:ident $name:literal recorded) => {};
    (@name $to:ident $name:literal $($how:tt)?) => { $to($name) };
    (@field $to:ident $event:ident $name:literal [$($field:ident)?] recorded) => {};
    (@field $to:ident $event:ident $name:literal [$($field:ident)?] [$($path:tt)+]) => {
        $to.field(concat!(",\"", $name, "\":"), ($event $($path)+).value())
    };
    (@field $to:ident $event:ident $name:literal [$field:ident]) => {
        $to.field(concat!(",\"", $name, "\":"), $event.$field.value())
    };
}

/// Makes the lines of all signals that have any.
macro_rules! listed {
    ($($place:literal $event:ident $fields:ident $how:ident;)*) => { $(listed!(@$how $fields);)* };
    (@listed $fields:ident) => { $crate::event::$fields!(lines); };
    (@drawn $fields:ident) => {};
}

signals!(listed);

impl<T: Field> Field for Option<T> {
    #[inline(always)]
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Unknown, Field::value)
    }
}

impl Field for Cgroup {
    #[inline(always)]
    fn value(&self) -> Value<'_> {
        match &self.path {
            Some(path) => Value::Text(path),
            None => Value::CgroupId(self.id),
        }
    }
}

/// Types of which each is one kind of value.
macro_rules! fields {
    ($($type:ty: |$value:ident| $written:expr;)*) => {$(
        impl Field for $type {
            #[inline(always)]
            fn value(&self) -> Value<'_> {
                let $value = self;
                $written
            }
        }
    )*};
}

fields! {
    u16: |number| Value::Number((*number).into());
    u32: |number| Value::Number((*number).into());
    u64: |number| Value::Number(*number);
    i32: |number| Value::Signed((*number).into());
    bool: |flag| Value::Flag(*flag);
    Timestamp: |time| Value::Time(*time);
    IpAddr: |address| Value::Address(*address);
    Comm: |comm| Value::Comm(comm);
    Text: |text| Value::Text(text);
    &'static str: |word| Value::Word(word);
    Outcome: |outcome| Value::Word(outcome.name());
    SourcePort: |port| Value::Word(port.name());
    DropCause: |cause| Value::Word(cause.name());
    End: |end| Value::Word(end.name());
    Side: |side| Value::Word(side.name());
}
