// SPDX-License-Identifier: MIT OR Apache-2.0
//! The static binary, as PID 1 of an initramfs that holds nothing else.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::tally::Tally;
use crate::{
    accelerator::Accelerator,
    dist,
    guest::{self, INITRAMFS, Machine, Screen},
    initramfs::Initramfs,
    kernels, static_build,
    workspace::target,
};

const NAME: &str = "the static binary runs where there is nothing else";

/// Which build of it.
#[derive(Clone, Copy)]
pub enum Binary {
    /// What `cargo xtask dist` makes.
    Release,
    /// What the guests test, built already.
    OfGuests,
}

impl Binary {
    fn get(self) -> Result<PathBuf> {
        match self {
            Self::Release => dist::build(),
            Self::OfGuests => {
                let binary = static_build::built(guest::PROFILE).join("tcp-trace");
                ensure!(dist::needs_nothing(&binary)?, "{} asks for a loader or for libraries", binary.display());
                Ok(binary)
            }
        }
    }
}

pub fn run(line: &str, binary: Binary) -> Result<Tally> {
    let verdict = match boot(line, binary) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("FAILED: {error:#}"),
    };
    let told = format!("test {NAME} ... {verdict}");
    println!("alone | {told}");
    let mut tally = Tally::default();
    tally.line(&told);
    Ok(tally)
}

fn boot(line: &str, binary: Binary) -> Result<()> {
    let kernel = kernels::get(line)?;
    let folder = target("vm").join("alone");
    fs::create_dir_all(&folder)?;
    let mut archive = Initramfs::create(&folder.join(INITRAMFS))?;
    archive.file(&binary.get()?, "/tcp-trace")?;
    archive.finish()?;
    let machine = Machine {
        accelerator: Accelerator::find(&kernel)?,
        kernel: &kernel,
        memory_mib: 512,
        cpus: 1,
        parameters: "rdinit=/tcp-trace -- --version".to_owned(),
    };
    let mut screen = |_: &str| {};
    let screen = Screen::Lines(&mut screen);
    machine.start(&folder, &screen, Some(Duration::from_secs(60)))?.until_the_end(screen)?;
    let console = fs::read(folder.join("console")).context("no console")?;
    let console = String::from_utf8_lossy(&console);
    ensure!(
        console.contains(concat!("tcp-trace ", env!("CARGO_PKG_VERSION"))),
        "it did not say its version\n{console}"
    );
    // A PID 1 that ends takes the kernel with it, and the kernel tells its exit code.
    ensure!(console.contains("exitcode=0x00000000"), "it did not end well\n{console}");
    Ok(())
}
