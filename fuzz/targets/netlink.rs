// SPDX-License-Identifier: MIT OR Apache-2.0
//! What sock_diag answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_trace::hostile;

fuzz_target!(|bytes: &[u8]| hostile::netlink(bytes));
