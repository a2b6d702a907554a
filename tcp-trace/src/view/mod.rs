// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers as text for people.

pub mod connect;
pub mod events;
pub mod format;
mod ledger;
pub mod line;
mod table;
mod theme;
mod verdict;
