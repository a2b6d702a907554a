// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that a compiler at run time left.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|bytes: &[u8]| hostile::perf_map(bytes));
