// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names added to events, never numbers changed.

pub mod call_site;
pub mod cgroup;
mod foreign;
pub(crate) mod maps;
pub mod stacks;
