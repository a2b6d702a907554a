// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the formats an answer has.

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: a screen on a terminal, lines in a pipe
    #[default]
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated: one connect a line, or one row of the answer
    Csv,
}
