// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of an answer: what its table shows, for other programs.

mod bind;
mod limits;
mod listen;
mod peer;
mod ports;
mod state;
mod time_wait;
pub mod what_if;

use crate::{export::row::Row, mode::Mode, summarize::summary::Summary};

/// At most `top` of each kind.
pub fn of(summary: &Summary, top: usize) -> Vec<Row> {
    match summary.mode {
        Mode::Bind => bind::rows(summary, top),
        Mode::Listen => listen::rows(&summary.observed, top),
        Mode::Ports => ports::rows(&summary.observed, top),
        Mode::States => state::of(&summary.observed.states, top),
        Mode::TimeWait => time_wait::of(&summary.observed, top),
        Mode::ConnectLatency => Vec::new(),
        Mode::Doctor => limits::rows(&summary.observed.limits),
    }
}
