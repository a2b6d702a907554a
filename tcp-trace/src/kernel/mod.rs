// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts: what this kernel offers.

pub mod rules;
