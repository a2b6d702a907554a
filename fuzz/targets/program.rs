// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that is mapped: ELF, unwind tables, debug information.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|bytes: &[u8]| hostile::program(bytes).expect("memory"));
