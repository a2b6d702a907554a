// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit: the only place that ends the process.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use tcp_trace::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are written to standard output and are no errors; a closed pipe there is none either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match cli::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // If standard error cannot be written, the exit code still shows the failure.
            let _ = io::stderr().write_all(failure.report().as_bytes());
            ExitCode::from(failure.code())
        }
    }
}
