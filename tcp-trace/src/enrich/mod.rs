// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adds names to events, and never changes numbers.

pub mod call_site;
pub mod cgroup;
mod foreign;
pub(crate) mod maps;
pub mod stacks;
