// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings: the session, all messages in order, and counts, in a file format of their own. docs/recordings.md
//! describes the layout and its guarantees.

mod baseline;
pub mod beside;
pub mod block;
mod budget;
pub mod bytes;
mod cells;
pub mod column;
pub mod events;
pub mod filter;
pub mod flight;
mod inventory;
pub mod message;
pub mod pacing;
pub mod parquet;
pub mod player;
pub mod recorder;
pub mod redact;
pub mod replay;
pub mod ring;
pub mod store;
pub mod table;
pub mod trigger;
pub mod writer;

#[cfg(test)]
mod fields_tests;
#[cfg(test)]
mod hostile_outputs_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
