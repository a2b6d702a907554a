// SPDX-License-Identifier: MIT OR Apache-2.0
//! Probes: which programs answer which signal, and how they attach.

pub mod tier;
