// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags that choose the output file and format.

use std::path::PathBuf;

use crate::export::format::Format;

/// The output file and format.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
