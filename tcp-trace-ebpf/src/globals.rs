// SPDX-License-Identifier: MIT OR Apache-2.0
//! What user space sets before loading. The map that holds these is frozen, so the verifier takes every field for a
//! constant and drops the branches that this kernel or this user has no use for.

use tcp_trace_common::{config::Config, offsets::Offsets};

#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::EMPTY;

#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ABSENT;

/// One field of `CONFIG`. Field by field: a copy of the whole would go through the stack, where the verifier of 5.10
/// loses track of constants.
macro_rules! config {
    ($field:ident) => {
        // SAFETY: a reference to an initialised static; volatile because user space replaces its contents.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$field) }
    };
    ($field:ident[$index:expr]) => {
        // SAFETY: as above; the index is a constant within the array.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::CONFIG.$field[$index]) }
    };
}

/// One field of `OFFSETS`.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a reference to an initialised static; volatile because user space replaces its contents.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::OFFSETS.$field) }
    };
}

pub(crate) use {config, offset};
