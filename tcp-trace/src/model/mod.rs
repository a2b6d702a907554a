// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plain data that travels between stages: it measures nothing, reads nothing, and uses no stage.

pub mod accounts;
pub mod address;
pub mod folded;
pub mod peer;
pub mod scope;
pub mod time_wait;
pub mod totals;

/// `v` of every JSON line. CHANGELOG.md has the names that changed with it.
pub const JSON_VERSION: u8 = 2;
