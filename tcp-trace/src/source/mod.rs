// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sources of events. After this stage a live run and a replay are the same.

pub mod batch;
pub mod binds;
pub mod connect_rows;
pub mod counters;
pub mod folded;
pub mod live;
pub mod retired;
pub mod time_wait_proc;
pub mod totals;

mod ring;
mod under_way;
