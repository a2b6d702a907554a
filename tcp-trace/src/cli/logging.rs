// SPDX-License-Identifier: MIT OR Apache-2.0
//! Diagnostics: one facade, to standard error, never mixed with answers.

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
    let _ = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).without_time().try_init();
}
