// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events and answers to lines for other programs, appended to a buffer. The wire types here are apart from the
//! domain types: a change of one must not change the other by chance.

pub mod calendar;
pub mod csv;
pub mod destination;
pub mod draft;
pub mod format;
pub mod json;

mod fields;
pub mod output_thread;
mod put;
pub mod row;
pub mod rows;
pub mod sink;
pub mod stream;
pub mod whole_file;
