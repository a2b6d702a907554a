// SPDX-License-Identifier: MIT OR Apache-2.0
//! Third-party programs that connect, for the guests. Those that this machine lacks are unpacked under target/peers
//! rather than installed: a package of a daemon would start it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    setup,
    workspace::{output, run, target},
};

/// Names of the programs, which are also the names of their packages.
const PEERS: [&str; 3] = ["curl", "nginx", "wrk"];

/// Folder with the libraries of the unpacked programs.
pub fn library_path() -> PathBuf {
    target("peers/usr/lib/x86_64-linux-gnu")
}

/// Variables with which programs of this machine find them and their libraries.
pub fn environment() -> [String; 2] {
    let path = env::var("PATH").unwrap_or_default();
    let [programs, daemons] = ["usr/bin", "usr/sbin"].map(|folder| target("peers").join(folder));
    [
        format!("PATH={path}:{}:{}", programs.display(), daemons.display()),
        format!("LD_LIBRARY_PATH={}", library_path().display()),
    ]
}

/// Paths of all the programs, on this machine or under target/peers.
pub fn get() -> Result<Vec<PathBuf>> {
    PEERS.iter().map(|peer| program(peer)).collect()
}

/// Path of a program that is needed on this machine only.
pub fn program(name: &str) -> Result<PathBuf> {
    find(name).map_or_else(|| fetch(name), Ok)
}

fn find(peer: &str) -> Option<PathBuf> {
    let unpacked = ["usr/bin", "usr/sbin"].map(|folder| target("peers").join(folder).join(peer));
    setup::find(peer).or_else(|| unpacked.into_iter().find(|path| path.is_file()))
}

fn fetch(peer: &str) -> Result<PathBuf> {
    let archives = target("peers/archives");
    fs::create_dir_all(archives.join("partial"))?;
    eprintln!("setup: unpacking {peer} and what it needs under {}", target("peers").display());
    // Simulating the installation is how apt names what is missing on this machine.
    if download(peer, &archives).is_err() {
        setup::update_lists()?;
        download(peer, &archives).with_context(|| format!("missing: {peer}; try: sudo apt-get install {peer}"))?;
    }
    for deb in fs::read_dir(&archives)? {
        let deb = deb?.path();
        if deb.is_file() && deb.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(target("peers")))?;
        }
    }
    find(peer).with_context(|| format!("the package {peer} holds no program of that name"))
}

fn download(peer: &str, archives: &Path) -> Result<String> {
    let mut apt = Command::new("apt-get");
    apt.args(["--quiet=2", "--yes", "--download-only", "--no-install-recommends"]);
    apt.args(["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root"]);
    apt.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
    output(apt.args(["install", peer]))
}
