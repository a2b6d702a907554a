// SPDX-License-Identifier: MIT OR Apache-2.0
//! Paths of the workspace, and running other programs.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// The host target, always named: cargo then keeps RUSTFLAGS away from build scripts and proc macros.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The workspace's root folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// A path under target/, independent of CARGO_TARGET_DIR, so that caches survive it.
pub fn target(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// The cargo that started xtask, in the workspace's root, without the caller's flags.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

/// Folder of the pinned toolchain.
pub fn sysroot() -> Result<PathBuf> {
    Ok(output(Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]))?.into())
}

/// Runs a command; its failure is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", shown(command)))?;
    ensure!(status.success(), "{status}: {}", shown(command));
    Ok(())
}

/// Runs a command and returns its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("could not start {}", shown(command)))?;
    ensure!(output.status.success(), "{}: {}", output.status, shown(command));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}
