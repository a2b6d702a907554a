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
mod json_event;
mod json_ledger;
mod json_summary;
mod json_watched;
pub mod output_thread;
mod put;
pub mod row;
pub mod rows;
mod rows_bind;
mod rows_limits;
mod rows_listen;
mod rows_peer;
mod rows_ports;
mod rows_state;
mod rows_time_wait;
pub mod rows_what_if;
pub mod sink;
pub mod stream;
pub mod whole_file;
