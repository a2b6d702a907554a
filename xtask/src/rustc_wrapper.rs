// SPDX-License-Identifier: MIT OR Apache-2.0
//! xtask as cargo's RUSTC_WRAPPER for the kernel side: flags that rustc's BPF targets set and the host target does not.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// Environment variable that `cargo xtask ebpf` sets for cargo.
pub const MARK: &str = "TCP_TRACE_XTASK_WRAPS_RUSTC";

/// Two equal programs must stay two, because the loader cannot distinguish programs with one address. The stable
/// toolchain has this flag among the unstable ones.
pub const NO_MERGING: &str = "-Zmerge-functions=disabled";

/// Runs rustc if cargo called xtask as its wrapper; `None` otherwise.
pub fn wrap() -> Option<ExitCode> {
    env::var_os(MARK)?;
    let mut args = env::args_os().skip(1);
    let mut rustc = Command::new(args.next()?);
    let args: Vec<_> = args.collect();
    if args.iter().any(|arg| arg == NO_MERGING) {
        rustc.env("RUSTC_BOOTSTRAP", "1");
    }
    if args.iter().any(|arg| arg == "aya_log_ebpf") {
        // It makes its ring buffer a map for this architecture only.
        rustc.args(["--cfg", "target_arch=\"bpf\"", "-Aexplicit_builtin_cfgs_in_flags"]);
    }
    let error = rustc.args(args).exec();
    eprintln!("xtask: could not start {}: {error}", rustc.get_program().display());
    Some(ExitCode::FAILURE)
}
