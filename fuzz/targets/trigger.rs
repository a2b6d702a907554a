// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions of a flight recorder, and rules of `check`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|text: &str| hostile::trigger(text));
