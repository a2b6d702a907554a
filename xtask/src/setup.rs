// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask setup`: installs what this machine lacks, and prints what it installs. Other subcommands call it for
//! their own needs.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{
    dist, peers,
    workspace::{cargo, output, run as run_command, sysroot, target},
};

/// A program, and the Debian package that contains it.
pub struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Tools to download a kernel and boot it.
pub const MACHINE: [Tool; 3] = [
    Tool { program: "qemu-system-x86_64", package: "qemu-system-x86" },
    Tool { program: "busybox", package: "busybox-static" },
    Tool { program: "xz", package: "xz-utils" },
];

/// Tools to show a report.
pub const BROWSER: [Tool; 1] = [Tool { program: "chromium-headless-shell", package: "chromium-headless-shell" }];

/// Engines that run the queries of the documentation on Parquet files.
const ENGINES: [&str; 4] = ["duckdb==2.0.0", "chdb==4.4.0", "pandas==3.1.1", "pyarrow==26.0.1"];

/// Version of bpf-linker that reads the pinned toolchain's bitcode.
const BPF_LINKER: &str = "0.10.4";

/// Install what building, testing and running in a virtual machine need
#[derive(clap::Args)]
pub struct Options {}

pub fn run(_: &Options) -> Result<ExitCode> {
    packages(&MACHINE)?;
    peers::get()?;
    bpf_linker()?;
    println!("setup: everything is there");
    Ok(ExitCode::SUCCESS)
}

/// Installs the packages of missing tools.
pub fn packages(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| !tool.is_there()).map(|tool| tool.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs packages.
fn install(missing: &[&str]) -> Result<()> {
    let install = ["install", "--yes", "--no-install-recommends"];
    eprintln!("setup: installing {} (apt-get {})", missing.join(" "), install.join(" "));
    let installed = update_lists().and_then(|()| output(apt_get().arg("--quiet=2").args(install).args(missing)));
    let missing = missing.join(" ");
    installed.map(drop).with_context(|| format!("missing: {missing}; try: sudo apt-get install {missing}"))
}

/// A Python with engines that read Parquet, under target/, from the package index of this machine's pip.
pub fn engines() -> Result<PathBuf> {
    let folder = target("engines");
    let python = folder.join("bin/python");
    let (done, wanted) = (folder.join("complete"), ENGINES.join(" "));
    if !fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        eprintln!("setup: installing {wanted} (pip, into {})", folder.display());
        let environment = || output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        // Debian has Python, and what an environment is made of in a package apart.
        environment().or_else(|_| install(&["python3-venv"]).and_then(|()| environment()))?;
        output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(ENGINES))?;
        fs::write(done, wanted)?;
    }
    Ok(python)
}

/// Updates apt's package lists.
pub fn update_lists() -> Result<()> {
    output(apt_get().args(["--quiet=2", "update"])).map(drop)
}

/// Installs bpf-linker if it is missing or has another version.
pub fn bpf_linker() -> Result<()> {
    let found = output(with_llvm("bpf-linker")?.arg("--version")).unwrap_or_default();
    if found.split_whitespace().any(|word| word == BPF_LINKER) {
        return Ok(());
    }
    eprintln!("setup: installing bpf-linker {BPF_LINKER} (cargo install; two minutes)");
    let install = ["install", "--quiet", "--locked", "--force", "--version", BPF_LINKER, "bpf-linker"];
    let installed = run_command(cargo().args(install));
    installed.with_context(|| format!("missing: bpf-linker {BPF_LINKER}; try: cargo {}", install.join(" ")))
}

/// A program that loads the pinned toolchain's LLVM.
pub fn with_llvm(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", sysroot()?.join("lib"));
    Ok(command)
}

impl Tool {
    fn is_there(&self) -> bool {
        // Debian's other busybox package is dynamic, and of no use in a guest.
        find(self.program).is_some_and(|path| self.program != "busybox" || dist::needs_nothing(&path).unwrap_or(false))
    }
}

/// Path of a program; packages of daemons install theirs where only root's PATH includes them.
pub fn find(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&folders).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn apt_get() -> Command {
    let mut command = as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

/// A command that runs as root, through sudo if necessary.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0") {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}
