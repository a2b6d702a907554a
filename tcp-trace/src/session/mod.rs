// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run, from the request to the last answer: what is attached and read, the loop over time, and what is written when.

pub mod output;
pub mod request;
pub mod run;
pub mod start;
