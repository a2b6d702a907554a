// SPDX-License-Identifier: MIT OR Apache-2.0
//! Aggregates events into snapshots. Pure: no I/O, no clock; memory is bounded for any input.

pub mod aggregates;
pub mod bind;
pub mod connect;
pub mod distribution;
pub mod ledger;
pub mod limits;
pub mod listen;
pub mod marks;
pub mod observed;
pub mod ports;
#[cfg(test)]
pub(crate) mod sample;
pub mod searches;
pub mod stacks;
pub mod state;
pub mod tally;
pub mod time_wait;
pub mod time_wait_owners;
pub mod top;
pub mod words;
