// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines that come by the event: put down field by field, in the contract's order.

use super::super::{
    calendar::Calendar,
    fields::{Format, Lines, Value},
    put,
};
use crate::{
    event::{Event, signals},
    model::JSON_VERSION,
};

/// Makes the function that finds the signal of an event.
macro_rules! signal_of {
    ($($place:literal $event:ident $fields:ident $how:ident;)*) => {
        /// Appends the line of an event of a signal.
        pub(super) fn signal(out: &mut Vec<u8>, calendar: &mut Calendar, event: &Event) {
            match event {
                $(Event::$event(event) => signal_of!(@$how line(out, calendar, event)),)*
                Event::Detail(_) | Event::Lost(_) => {}
            }
        }
    };
    (@listed $line:ident($($argument:ident),*)) => { $line($($argument),*) };
    // Frames are drawn, not listed.
    (@drawn $line:ident($($argument:ident),*)) => {{ $(let _ = $argument;)* }};
}

signals!(signal_of);

/// Appends the line of an event.
fn line(out: &mut Vec<u8>, calendar: &mut Calendar, event: &impl Lines) {
    out.extend_from_slice(b"{\"v\":");
    put::number(out, JSON_VERSION.into());
    out.extend_from_slice(b",\"type\":");
    quote(out, event_type(event).as_bytes());
    event.write(&mut Line { out, calendar });
    out.extend_from_slice(b"}\n");
}

fn event_type<E: Lines>(_: &E) -> &'static str {
    E::SIGNAL
}

/// An object on its way.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    calendar: &'a mut Calendar,
}

impl Format for Line<'_> {
    #[inline(always)]
    fn field(&mut self, key: &'static str, value: Value<'_>) {
        let out = &mut *self.out;
        out.extend_from_slice(key.as_bytes());
        match value {
            Value::Unknown => out.extend_from_slice(b"null"),
            Value::Number(number) => put::number(out, number),
            Value::Signed(number) => {
                if number < 0 {
                    out.push(b'-');
                }
                put::number(out, number.unsigned_abs());
            }
            Value::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            Value::Time(time) => {
                out.push(b'"');
                self.calendar.put(out, time);
                out.push(b'"');
            }
            Value::Address(address) => {
                out.push(b'"');
                put::address(out, address);
                out.push(b'"');
            }
            Value::Word(word) => quote(out, word.as_bytes()),
            Value::Comm(comm) if is_plain(comm.as_bytes()) => quote(out, comm.as_bytes()),
            Value::Comm(comm) => text(out, comm),
            Value::Text(path) => text(out, path),
            Value::CgroupId(id) => {
                out.extend_from_slice(b"\"cgroup:");
                put::number(out, id);
                out.push(b'"');
            }
        }
    }
}

/// Names come from processes and cgroups: anything may be in them.
fn text(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        quote(out, text.as_bytes());
    } else {
        serde_json::to_writer(out, text).expect("a buffer takes everything");
    }
}

/// Nothing in it has to be escaped.
fn is_plain(text: &[u8]) -> bool {
    // All of it, whatever comes first: many bytes at once are faster than fewer one by one.
    !text.iter().fold(false, |found, byte| found | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\'))
}

fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}
