// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts and plans on fixtures of real kernels.

mod btf;
mod machine;
mod offsets;
mod plan;
#[path = "../support/mod.rs"]
mod support;
mod symbols;
