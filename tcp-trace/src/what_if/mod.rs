// SPDX-License-Identifier: MIT OR Apache-2.0
//! What would be, if the range, the addresses or the rates were others: the kernel's own search, made again in user
//! space over the sockets as they are.

pub mod at_once;
pub mod free;
pub mod occupancy;
mod random;
pub mod search;
pub mod settled;
#[cfg(test)]
mod tests;
pub mod walk;
