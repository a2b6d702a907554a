// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts by who and where as rows.

use super::{
    super::{
        bytes::Malformed,
        column::Kind,
        table::{Path, Read, Table},
    },
    Value, cells,
};
use crate::model::folded::{FoldedCounts, FoldedRow, FoldedSpread, FoldedSum, SPREAD_BUCKETS};

cells!(FoldedRow {
    "netns" = netns,
    "pid" = pid,
    "process_start_ns" = process_start_ns,
    "daddr" = daddr,
    "dport" = dport,
    "comm" = comm,
    "uid" = uid,
    "cgroup_id" = cgroup_id,
    "" = counts,
});
cells!(FoldedSum { "" = known, "sum" = sum, "max" = max });
cells!(FoldedSpread { "" = known, "sum" = sum, "max" = max, "buckets" = buckets });

cells!(FoldedCounts {
    "by_outcome" = by_outcome,
    "exhausted" = exhausted,
    "unanswered" = unanswered,
    "second_pass_known" = second_pass_known,
    "second_pass_looked" = second_pass_looked,
    "second_pass" = second_pass,
    "local_range" = local_range,
    "syn_retransmits" = syn_retransmits,
    "retransmitted" = retransmitted,
    "retransmitted_max_ns" = retransmitted_max_ns,
    "mptcp" = mptcp,
    "visited" = visited,
    "search_ns" = search_ns,
    "handshake_ns" = handshake_ns,
    "total_ns" = total_ns,
    "second_pass_visited" = second_pass_visited,
    "second_pass_search_ns" = second_pass_search_ns,
    "first_pass_search_ns" = first_pass_search_ns,
    "in_use" = in_use,
    "time_wait" = time_wait,
    "time_wait_reused" = time_wait_reused,
    "skipped" = skipped,
    "range" = range,
});

/// Each in as few bytes as it needs: most are small.
impl Value for Vec<u32> {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        let mut bytes = Vec::new();
        for count in value.into_iter().flatten() {
            let mut rest = *count;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        to.bytes(path, Kind::Bytes, value.map(|_| &bytes[..]));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let column = from.column(path, |kind| kind == Kind::Bytes)?;
        let Some(bytes) = column.map(|column| column.bytes()).transpose()?.flatten() else { return Ok(None) };
        let (mut counts, mut count, mut shift) = (Vec::new(), 0_u64, 0);
        for byte in bytes {
            count |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                counts.push(u32::try_from(count).map_err(|_| odd(path))?);
                (count, shift) = (0, 0);
            } else if shift > 28 {
                return Err(odd(path));
            }
        }
        if shift != 0 || counts.len() > SPREAD_BUCKETS {
            return Err(odd(path));
        }
        Ok(Some(counts))
    }
}

fn odd(path: Path<'_>) -> Malformed {
    Malformed::new(format!("column {path}: no list of counts"))
}
