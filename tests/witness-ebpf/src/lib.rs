// SPDX-License-Identifier: MIT OR Apache-2.0
//! The witness: counts, call by call and thread by thread, the tests of the port search and their results. It derives
//! nothing, so it cannot share a mistake with the tool that it is compared with.
#![no_std]
#![no_main]

mod programs;

/// The helpers used are for GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
