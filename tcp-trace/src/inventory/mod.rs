// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets as they are now, in every network namespace that can be entered.

pub mod surveyor;

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Inventory {}

impl Inventory {
    /// Looks. What cannot be seen is left out, with a word.
    pub fn take() -> Self {
        Self {}
    }
}
