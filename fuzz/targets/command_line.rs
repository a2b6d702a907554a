// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|text: &str| hostile::command_line(text));
