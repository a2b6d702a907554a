// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of an answer: what its table shows, for other programs.

use super::{rows_bind, rows_limits, rows_listen, rows_ports, rows_state, rows_time_wait};
use crate::{export::row::Row, mode::Mode, summarize::summary::Summary};

/// At most `top` of each kind.
pub fn of(summary: &Summary, top: usize) -> Vec<Row> {
    match summary.mode {
        Mode::Bind => rows_bind::rows(summary, top),
        Mode::Listen => rows_listen::rows(&summary.observed, top),
        Mode::Ports => rows_ports::rows(&summary.observed, top),
        Mode::States => rows_state::of(&summary.observed.states, top),
        Mode::TimeWait => rows_time_wait::of(&summary.observed, top),
        Mode::ConnectLatency => Vec::new(),
        Mode::Doctor => rows_limits::rows(&summary.observed.limits),
    }
}
