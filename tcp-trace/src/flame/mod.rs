// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flame graphs of the call paths that lead to `connect()`, weighted by their attempts.

pub mod differential;
pub mod folded;
pub mod graph;
pub mod picture;
pub mod pprof;
pub mod speedscope;
pub mod svg;
pub mod text;
pub mod weight;
