// SPDX-License-Identifier: MIT OR Apache-2.0
//! A row of an answer: names and values in the order in which they are read. JSON and CSV write it as it is.

use crate::findings::Evidence;

/// One line of an answer for other programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its `type`.
    pub kind: &'static str,
    /// Units are in the names.
    pub fields: Vec<(&'static str, Evidence)>,
}
