// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags that say where answers go and how they are written.

use std::path::PathBuf;

use crate::export::format::Format;

/// Where and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// How answers are written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
