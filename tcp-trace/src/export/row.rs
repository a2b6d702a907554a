// SPDX-License-Identifier: MIT OR Apache-2.0
//! A row of a report: names and values in reading order. JSON and CSV write it as it is.

use crate::findings::Evidence;

/// One row of a report, for other programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The `type` of the row.
    pub kind: &'static str,
    /// Names and values; names contain the unit.
    pub fields: Vec<(&'static str, Evidence)>,
}
