// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static binaries, which need no libc and no loader.

use std::{env, path::PathBuf};

use anyhow::Result;

use crate::workspace::{TARGET, cargo, root, run, target};

/// The profile of what others get.
pub const RELEASE: &str = "release";

/// Builds packages statically with a profile of the workspace; returns the folder with their binaries.
pub fn build(packages: &[&str], profile: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", profile, "--target", TARGET, "--target-dir"]);
    build.arg(target("static")).args(packages.iter().flat_map(|package| ["--package", package]));
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    if profile == RELEASE {
        flags.extend(without_paths());
    }
    run(build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")))?;
    Ok(built(profile))
}

/// Flags for a binary without paths of this machine. Only what others get needs them: with them, each folder of the workspace
/// builds all packages anew.
fn without_paths() -> [String; 2] {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let packages = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let remap = |from: &std::path::Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    [remap(&packages, "/cargo"), remap(root(), "/tcp-trace")]
}

/// Folder of the binaries of a profile.
pub fn built(profile: &str) -> PathBuf {
    target("static").join(TARGET).join(profile)
}
