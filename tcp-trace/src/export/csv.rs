// SPDX-License-Identifier: MIT OR Apache-2.0
//! CSV (RFC 4180): a header and one line per connect; what is not known is empty.

use std::fmt::{Display, Write};

use super::json::{chosen, family};
use crate::event::{Cgroup, Connect};

const COLUMNS: &str = "time,pid,tid,comm,uid,cgroup,netns,family,saddr,sport,daddr,dport,outcome,errno,source_port,\
    port_search_ns,ports_visited,second_pass,range_low,range_high,handshake_ns,syn_retransmits,total_ns";

/// Appends the header.
pub fn header(out: &mut Vec<u8>) {
    out.extend_from_slice(COLUMNS.as_bytes());
    out.push(b'\n');
}

/// Appends the line of an attempt.
pub fn connect(out: &mut Vec<u8>, connect: &Connect) {
    let mut row = Row { line: String::with_capacity(256) };
    row.some(connect.time);
    row.some(connect.caller.pid);
    row.some(connect.caller.tid);
    row.text(Some(&connect.caller.comm));
    row.some(connect.caller.uid);
    match &connect.caller.cgroup {
        Some(Cgroup { path: Some(path), .. }) => row.text(Some(path)),
        cgroup => row.value(cgroup.as_ref()),
    }
    row.some(connect.netns);
    row.some(family(connect.daddr));
    row.value(chosen(connect.saddr));
    row.value(connect.sport);
    row.some(connect.daddr);
    row.some(connect.dport);
    row.some(connect.outcome.name());
    row.value(connect.errno);
    row.value(connect.source_port.map(|port| port.name()));
    row.value(connect.port_search_ns);
    row.value(connect.ports_visited);
    row.value(connect.second_pass);
    row.value(connect.range.map(|(low, _)| low));
    row.value(connect.range.map(|(_, high)| high));
    row.value(connect.handshake_ns);
    row.value(connect.syn_retransmits);
    row.value(connect.total_ns);
    row.line.pop();
    out.extend_from_slice(row.line.as_bytes());
    out.push(b'\n');
}

struct Row {
    line: String,
}

impl Row {
    fn value(&mut self, value: Option<impl Display>) {
        if let Some(value) = value {
            let _ = write!(self.line, "{value}");
        }
        self.line.push(',');
    }

    fn some(&mut self, value: impl Display) {
        self.value(Some(value));
    }

    /// Names come from processes and cgroups: anything may be in them.
    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) if text.contains(['"', ',', '\n', '\r']) => {
                self.some(format_args!("\"{}\"", text.replace('"', "\"\"")));
            }
            text => self.value(text),
        }
    }
}
