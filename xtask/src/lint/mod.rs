// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask lint`: format, clippy with warnings as errors (also for the kernel side and the fuzz target), the word lint,
//! typos, and rules for dependencies.

mod words;

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    ebpf::KERNEL_SIDES,
    setup,
    workspace::{TARGET, cargo, root, run as run_command, target},
};

/// Check the format, the words and the spelling, and run clippy with warnings as errors
#[derive(clap::Args)]
pub struct Options {}

pub fn run(_: &Options) -> Result<ExitCode> {
    words::check()?;
    typos()?;
    run_command(cargo().args(["fmt", "--all", "--check"]))?;
    run_command(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    run_command(cargo().args(["clippy", "--locked", "--all-targets", "--", "-Dwarnings"]))?;
    // A workspace of its own; without its feature no fuzzer is linked, and the stable toolchain does.
    let fuzz = ["--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--target-dir"];
    run_command(cargo().args(["clippy", "--locked"]).args(fuzz).arg(target("")).args(["--", "-Dwarnings"]))?;
    // The kernel side has no std and no unwinding: only its own profile compiles it.
    let mut clippy = cargo();
    clippy.args(["clippy", "--locked", "--profile", "ebpf", "--target", TARGET, "--target-dir"]).arg(target("ebpf"));
    clippy.args(KERNEL_SIDES.iter().flat_map(|side| ["--package", side.package])).args(["--", "-Dwarnings"]);
    run_command(clippy.env("RUSTFLAGS", "--cfg bpf_target_arch=\"x86_64\""))?;
    let mut documentation = cargo();
    documentation.args(["doc", "--locked", "--no-deps", "--document-private-items"]);
    run_command(documentation.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    dependencies()?;
    Ok(ExitCode::SUCCESS)
}

/// Misspelt words, by _typos.toml.
fn typos() -> Result<()> {
    if setup::find("typos").is_none() {
        eprintln!("lint: not run: typos, which takes long to build (cargo install typos-cli)");
        return Ok(());
    }
    run_command(Command::new("typos").current_dir(root()))
}

/// Licences, bans and sources, by deny.toml.
fn dependencies() -> Result<()> {
    if setup::find("cargo-deny").is_none() {
        eprintln!("lint: not run: cargo deny, which takes a quarter of an hour to build (cargo install cargo-deny)");
        return Ok(());
    }
    run_command(cargo().args(["deny", "--locked", "check", "licenses", "bans", "sources"]))
}
