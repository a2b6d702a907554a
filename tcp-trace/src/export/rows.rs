// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of an answer: what its table shows, for other programs.

use super::rows_limits;
use crate::aggregate::row::Row;
use crate::aggregate::summary::Summary;
use crate::question::Question;

/// At most `top` of each kind.
pub fn of(summary: &Summary, _top: usize) -> Vec<Row> {
    match summary.question {
        Question::ConnectLatency
        | Question::Ports
        | Question::TimeWait
        | Question::Bind
        | Question::Listen
        | Question::States => Vec::new(),
        Question::Doctor => rows_limits::rows(&summary.observed.limits),
    }
}
