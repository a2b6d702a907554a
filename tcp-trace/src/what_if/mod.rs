// SPDX-License-Identifier: MIT OR Apache-2.0
//! What would be, if the range, the addresses or the rates were others: the kernel's own search, made again in user
//! space over the sockets as they are.

pub mod answer;
pub mod at_once;
pub mod change;
pub mod follow;
#[cfg(test)]
mod follow_tests;
pub mod free;
pub mod occupancy;
pub mod predict;
pub mod price;
mod random;
pub mod search;
pub mod sensible;
pub mod settled;
#[cfg(test)]
mod tests;
pub mod tier;

use crate::question::Question;

/// Whatever tells of ports tells of this.
pub const QUESTION: Question = Question::Ports;
pub mod walk;
