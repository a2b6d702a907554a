// SPDX-License-Identifier: MIT OR Apache-2.0
//! What would be, if the range, the addresses or the rates were others: the kernel's own search, made again in user
//! space over the sockets as they are.

pub mod change;
pub mod current;
pub mod forecast;
pub mod free;
pub mod occupancy;
pub mod predict;
mod random;
pub mod search;
pub mod search_cost;
pub mod steady_state;
pub mod suggestions;
#[cfg(test)]
mod tests;
pub mod tier;
pub mod usage_model;
#[cfg(test)]
mod usage_model_tests;

use crate::mode::Mode;

/// Whatever tells of ports tells of this.
pub const QUESTION: Mode = Mode::Ports;
pub mod walk;
