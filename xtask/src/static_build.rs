// SPDX-License-Identifier: MIT OR Apache-2.0
//! Binaries that run where there is nothing else: no libc, no loader.

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::{TARGET, cargo, run, target};

/// Builds packages statically with a profile of the workspace; the folder that then holds their binaries.
pub fn build(packages: &[&str], profile: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", profile, "--target", TARGET, "--target-dir"]);
    build.arg(target("static")).args(packages.iter().flat_map(|package| ["--package", package]));
    run(build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))?;
    Ok(built(profile))
}

/// Where what was built is.
pub fn built(profile: &str) -> PathBuf {
    target("static").join(TARGET).join(profile)
}
