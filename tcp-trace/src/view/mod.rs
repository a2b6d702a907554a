// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports as text for people.

mod bind;
pub(crate) mod connect;
pub mod events;
pub mod format;
pub(crate) mod ledger;
pub(crate) mod limits;
pub mod line;
pub(crate) mod listen;
pub(crate) mod ports;
pub mod screen;
mod state;
pub(crate) mod table;
pub(crate) mod theme;
mod time_wait;
pub(crate) mod verdict;
pub mod what_if;
pub mod what_if_tier;
