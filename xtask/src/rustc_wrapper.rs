// SPDX-License-Identifier: MIT OR Apache-2.0
//! xtask as cargo's RUSTC_WRAPPER for the kernel side. aya-log-ebpf makes its ring buffer a map only where
//! `target_arch = "bpf"`; we compile for the host, so that one crate is told so.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// Set for cargo by `cargo xtask ebpf`.
pub const MARK: &str = "TCP_TRACE_XTASK_WRAPS_RUSTC";

/// Becomes rustc when cargo called us as its wrapper; `None` in an ordinary start.
pub fn wrap() -> Option<ExitCode> {
    env::var_os(MARK)?;
    let mut args = env::args_os().skip(1);
    let mut rustc = Command::new(args.next()?);
    let args: Vec<_> = args.collect();
    if args.iter().any(|arg| arg == "aya_log_ebpf") {
        rustc.args(["--cfg", "target_arch=\"bpf\"", "-Aexplicit_builtin_cfgs_in_flags"]);
    }
    let error = rustc.args(args).exec();
    eprintln!("xtask: could not start {}: {error}", rustc.get_program().display());
    Some(ExitCode::FAILURE)
}
