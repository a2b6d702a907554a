// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel side: reports what happened, never what it means.
//!
//! A program is a thin wrapper per tier around one body per edge, so that every tier does the same.
#![no_std]
#![no_main]

mod attempts;
mod calls;
mod detail;
mod emit;
mod exemplar;
mod filter;
mod fold;
mod globals;
mod identity;
mod maps;
mod memory;
mod peer;
mod registers;
mod rows;
mod signals;
mod sock;
mod state_totals;

/// The helpers used are for GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses an endless loop, so a panic that is left in a program is found when it is loaded.
    loop {}
}
