// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's types.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|bytes: &[u8]| hostile::btf(bytes));
