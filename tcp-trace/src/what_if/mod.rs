// SPDX-License-Identifier: MIT OR Apache-2.0
//! Forecasts for another range, other addresses or other rates: the kernel's own search, repeated in user space over
//! the present sockets.

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

/// The question whose messages contain all inputs.
pub const QUESTION: Mode = Mode::Ports;
pub mod walk;
