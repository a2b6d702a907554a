// SPDX-License-Identifier: MIT OR Apache-2.0
//! CSV (RFC 4180): a header and one line per connect; what is not known is empty.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{
    calendar::Calendar,
    json::{chosen, family},
    put,
};
use crate::{
    event::{Cgroup, Connect},
    export::row,
    findings::Evidence,
};

const COLUMNS: &str = "time,pid,tid,comm,uid,cgroup,netns,family,saddr,sport,daddr,dport,outcome,errno,source_port,\
    port_search_ns,ports_visited,second_pass,range_low,range_high,handshake_ns,syn_retransmits,total_ns";

/// Appends the header.
pub fn header(out: &mut Vec<u8>) {
    out.extend_from_slice(COLUMNS.as_bytes());
    out.push(b'\n');
}

/// Appends the line of an attempt.
pub fn connect(out: &mut Vec<u8>, calendar: &mut Calendar, connect: &Connect) {
    calendar.put(out, connect.time);
    let mut row = Row(out);
    row.number(Some(connect.caller.pid));
    row.number(Some(connect.caller.tid));
    row.text(&connect.caller.comm);
    row.number(Some(connect.caller.uid));
    row.cgroup(connect.caller.cgroup.as_ref());
    row.number(Some(connect.netns));
    row.word(Some(family(connect.daddr)));
    row.address(chosen(connect.saddr));
    row.number(connect.sport);
    row.address(Some(connect.daddr));
    row.number(Some(connect.dport));
    row.word(Some(connect.outcome.name()));
    // An errno is positive here.
    row.number(connect.errno.map(i32::unsigned_abs));
    row.word(connect.source_port.map(|port| port.name()));
    row.number(connect.port_search_ns);
    row.number(connect.ports_visited);
    row.word(connect.second_pass.map(|second| if second { "true" } else { "false" }));
    row.number(connect.range.map(|(low, _)| low));
    row.number(connect.range.map(|(_, high)| high));
    row.number(connect.handshake_ns);
    row.number(connect.syn_retransmits);
    row.number(connect.total_ns);
    out.push(b'\n');
}

/// Appends the rows of an answer, with a header before each kind.
pub fn rows(out: &mut Vec<u8>, time: Timestamp, rows: &[row::Row]) {
    let mut kind = "";
    for row in rows {
        if row.kind != kind {
            kind = row.kind;
            out.extend_from_slice(b"time,type");
            row.fields.iter().for_each(|(name, _)| Row(out).word(Some(name)));
            out.push(b'\n');
        }
        out.extend_from_slice(time.to_string().as_bytes());
        Row(out).word(Some(row.kind));
        row.fields.iter().for_each(|(_, value)| Row(out).evidence(value));
        out.push(b'\n');
    }
}

/// A line on its way: each value comes with the comma before it.
struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    fn number(&mut self, number: Option<impl Into<u64>>) {
        self.0.push(b',');
        if let Some(number) = number {
            put::number(self.0, number.into());
        }
    }

    fn address(&mut self, address: Option<IpAddr>) {
        self.0.push(b',');
        if let Some(address) = address {
            put::address(self.0, address);
        }
    }

    fn word(&mut self, word: Option<&'static str>) {
        self.0.push(b',');
        self.0.extend_from_slice(word.unwrap_or_default().as_bytes());
    }

    fn cgroup(&mut self, cgroup: Option<&Cgroup>) {
        match cgroup {
            Some(Cgroup { path: Some(path), .. }) => self.text(path),
            Some(Cgroup { id, path: None }) => {
                self.word(Some("cgroup:"));
                put::number(self.0, *id);
            }
            None => self.word(None),
        }
    }

    fn evidence(&mut self, value: &Evidence) {
        match value {
            Evidence::Number(number) => self.number(Some(*number)),
            Evidence::Share(share) => self.text(&share.to_string()),
            Evidence::Text(text) => self.text(text),
            Evidence::Flag(flag) => self.word(Some(if *flag { "true" } else { "false" })),
            Evidence::Unknown => self.word(None),
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
