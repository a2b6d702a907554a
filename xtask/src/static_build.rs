// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static binaries, which need no libc and no loader.

use std::{env, path::PathBuf};

use anyhow::Result;

use crate::workspace::{TARGET, cargo, root, run, target};

/// Builds packages statically with a profile of the workspace; returns the folder with their binaries.
pub fn build(packages: &[&str], profile: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", profile, "--target", TARGET, "--target-dir"]);
    build.arg(target("static")).args(packages.iter().flat_map(|package| ["--package", package]));
    run(build.env("CARGO_ENCODED_RUSTFLAGS", flags().join("\u{1f}")))?;
    Ok(built(profile))
}

/// Flags for a static binary without paths of this machine.
fn flags() -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let packages = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let remap = |from: &std::path::Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    vec!["-Ctarget-feature=+crt-static".into(), remap(&packages, "/cargo"), remap(root(), "/tcp-trace")]
}

/// Folder of the binaries of a profile.
pub fn built(profile: &str) -> PathBuf {
    target("static").join(TARGET).join(profile)
}
