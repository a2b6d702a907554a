// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line per interval, for pipes, in the manner of vmstat.

use super::format::{count, duration, percent, rate};
use crate::{event::Outcome, summarize::summary::Summary};

/// Header line, to be repeated from time to time.
pub fn header() -> String {
    format!(
        "{:<8} {:>6} {:>5} {:>7} {:>6} {:>7} {:>7} {:>7} {:>7} {:>6} {:>4}\n",
        "time", "conn/s", "fail", "no_port", "2nd", "visited", "srch50", "srch99", "hand99", "tw", "lost"
    )
}

/// The line of one interval. `srch50` and `srch99` are quantiles of the port search, `visited` is the maximum, `hand99`
/// is the 99th percentile of the handshake.
pub fn line(summary: &Summary) -> String {
    let connect = &summary.observed.connect;
    let failures = connect.connects
        - connect.outcome_unknown
        - connect.ended(Outcome::Established)
        - connect.ended(Outcome::Pending);
    let levels: Option<u64> = summary.observed.time_wait.values().map(|totals| totals.level).sum();
    let lost = summary.lost.ring_buffer + summary.lost.map_full + summary.lost.missed;
    format!(
        "{:<8} {:>6} {:>5} {:>7} {:>6} {:>7} {:>7} {:>7} {:>7} {:>6} {:>4}\n",
        summary.time.strftime("%H:%M:%S"),
        rate(Some(connect.connects), summary.observed.seconds),
        count(Some(failures)),
        count(Some(connect.ended(Outcome::NoPort))),
        percent(connect.second_pass, connect.second_pass_known),
        count(connect.ports_visited.max),
        duration(connect.port_search.p50),
        duration(connect.port_search.p99),
        duration(connect.handshake.p99),
        count(levels.filter(|_| !summary.observed.time_wait.is_empty())),
        count(summary.ledger.counts.map(|_| lost))
    )
}
