// SPDX-License-Identifier: MIT OR Apache-2.0
//! tcp-trace's chores: one file per subcommand.

mod ebpf;
mod rustc_wrapper;
#[path = "../../tcp-trace/build/sources.rs"]
mod sources;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run and test tcp-trace")]
enum Xtask {
    Ebpf(ebpf::Options),
}

fn main() -> ExitCode {
    if let Some(status) = rustc_wrapper::wrap() {
        return status;
    }
    let result = match Xtask::parse() {
        Xtask::Ebpf(options) => ebpf::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
