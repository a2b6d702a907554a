// SPDX-License-Identifier: MIT OR Apache-2.0
//! Globals that user space sets before loading. Their map is frozen, so the verifier treats every field as a constant
//! and removes branches that this kernel or this run does not need.

use tcp_trace_common::{config::Config, offsets::Offsets};

#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::EMPTY;

#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ABSENT;

/// Reads one field of `CONFIG`. A copy of the whole would go through the stack, where the verifier of 5.10 loses track
/// of constants.
macro_rules! config {
    ($field:ident) => {
        // SAFETY: a reference to an initialised static; volatile because user space replaces its contents.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$field) }
    };
    ($field:ident[$index:expr]) => {
        // SAFETY: a reference to an initialised static; volatile because user space replaces its contents; the index is
        // a constant within the array.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$field[$index]) }
    };
}

/// Reads one field of `OFFSETS`.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a reference to an initialised static; volatile because user space replaces its contents.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::OFFSETS.$field) }
    };
}

pub(crate) use {config, offset};
