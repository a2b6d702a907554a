// SPDX-License-Identifier: MIT OR Apache-2.0
//! xtask as cargo's RUSTC_WRAPPER for the kernel side: what rustc's BPF targets set and our host target does not.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// Set for cargo by `cargo xtask ebpf`.
pub const MARK: &str = "TCP_TRACE_XTASK_WRAPS_RUSTC";

/// Two equal programs must stay two: the loader cannot tell apart what shares one address. The stable toolchain has
/// this switch behind the unstable ones.
pub const NO_MERGING: &str = "-Zmerge-functions=disabled";

/// Becomes rustc when cargo called us as its wrapper; `None` in an ordinary start.
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
