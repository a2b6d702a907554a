// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers as text for people.

mod bind;
mod connect;
pub mod events;
pub mod format;
mod ledger;
mod limits;
pub mod line;
mod listen;
mod ports;
pub mod screen;
mod state;
mod table;
mod theme;
mod time_wait;
mod verdict;
pub mod what_if;
pub mod what_if_tier;
