// SPDX-License-Identifier: MIT OR Apache-2.0
//! CSV (RFC 4180): a header and one line per connect; what is not known is empty.

use jiff::Timestamp;

use super::{
    calendar::Calendar,
    fields::{Format, Lines as _, Value},
    put,
};
use crate::{event::Connect, export::row, findings::Evidence};

/// Appends the header.
pub fn header(out: &mut Vec<u8>) {
    let mut is_first = true;
    Connect::names(|name| {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    });
    out.push(b'\n');
}

/// Appends the line of an attempt.
pub fn connect(out: &mut Vec<u8>, calendar: &mut Calendar, connect: &Connect) {
    let begin = out.len();
    connect.write(&mut Line { row: Row(out), calendar });
    // The comma before the first field.
    out.remove(begin);
    out.push(b'\n');
}

/// Appends the rows of an answer, with a header before each kind.
pub fn rows(out: &mut Vec<u8>, time: Timestamp, rows: &[row::Row]) {
    let mut kind = "";
    for row in rows {
        if row.kind != kind {
            kind = row.kind;
            out.extend_from_slice(b"time,type");
            row.fields.iter().for_each(|(name, _)| Row(out).word(name));
            out.push(b'\n');
        }
        out.extend_from_slice(time.to_string().as_bytes());
        Row(out).word(row.kind);
        row.fields.iter().for_each(|(_, value)| Row(out).evidence(value));
        out.push(b'\n');
    }
}

/// The line of an event on its way.
struct Line<'a> {
    row: Row<'a>,
    calendar: &'a mut Calendar,
}

impl Format for Line<'_> {
    fn field(&mut self, _: &'static str, value: Value<'_>) {
        let row = &mut self.row;
        match value {
            Value::Unknown => row.word(""),
            Value::Number(number) => row.number(number),
            Value::Signed(number) => {
                row.word(if number < 0 { "-" } else { "" });
                put::number(row.0, number.unsigned_abs());
            }
            Value::Flag(flag) => row.flag(flag),
            Value::Time(time) => {
                row.word("");
                self.calendar.put(row.0, time);
            }
            Value::Address(address) => {
                row.word("");
                put::address(row.0, address);
            }
            Value::Word(word) => row.word(word),
            Value::Comm(comm) => row.text(comm),
            Value::Text(text) => row.text(text),
            Value::CgroupId(id) => {
                row.word("cgroup:");
                put::number(row.0, id);
            }
        }
    }
}

/// A line on its way: each value comes with the comma before it.
struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    fn number(&mut self, number: u64) {
        self.0.push(b',');
        put::number(self.0, number);
    }

    fn word(&mut self, word: &'static str) {
        self.0.push(b',');
        self.0.extend_from_slice(word.as_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.word(if flag { "true" } else { "false" });
    }

    fn evidence(&mut self, value: &Evidence) {
        match value {
            Evidence::Number(number) => self.number(*number),
            Evidence::Share(share) => self.text(&share.to_string()),
            Evidence::Text(text) => self.text(text),
            Evidence::Flag(flag) => self.flag(*flag),
            Evidence::Unknown => self.word(""),
        }
    }

    /// Names come from processes and cgroups: anything may be in them.
    fn text(&mut self, text: &str) {
        // A spreadsheet would take it for a formula.
        if text.starts_with(['=', '+', '-', '@']) {
            return self.text(&format!("'{text}"));
        }
        self.0.push(b',');
        if !text.contains(['"', ',', '\n', '\r']) {
            return self.0.extend_from_slice(text.as_bytes());
        }
        self.0.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                self.0.push(b'"');
            }
            self.0.push(byte);
        }
        self.0.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula() {
        let mut out = Vec::new();
        for name in ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "nginx", "a\"b"] {
            Row(&mut out).text(name);
        }
        assert_eq!(String::from_utf8_lossy(&out), ",'=cmd|' /C calc'!A0,'+1,'-1,'@x,nginx,\"a\"\"b\"");
    }
}
