// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings: what a live run went by, what happened, in its order, and what was counted, in a file of its own format.
//! docs/recordings.md has the layout, and what is promised of it.

pub mod block;
pub mod bytes;
mod cells;
pub mod column;
pub mod events;
pub mod happened;
mod inventory;
pub mod table;
