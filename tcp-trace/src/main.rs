// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit.
fn main() {}
