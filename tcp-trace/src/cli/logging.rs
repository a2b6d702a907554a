// SPDX-License-Identifier: MIT OR Apache-2.0
//! Diagnostics: one facade, to standard error, never mixed with answers.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

/// Warnings, with -v reasons, with -vv everything, the kernel side's own log (aya-log) included.
pub fn init(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    // RUST_LOG still has the last word, as people expect of a Rust program.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},aya=warn,aya_obj=warn")));
    // Fails only if there is a subscriber already, as in tests: then that one is to be used.
    let _ = fmt()
        .with_env_filter(filter)
        .with_ansi(takes_colours())
        // By itself it panics where standard error takes nothing any more.
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .try_init();
}

/// A file or a pipe gets text alone.
fn takes_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
