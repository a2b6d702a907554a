// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where events come from. After this stage a live run and any other cannot be told apart.

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
