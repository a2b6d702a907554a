// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text of /proc.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|bytes: &[u8]| hostile::proc_files(bytes));
