// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary that users are given, as PID 1 of an initramfs that holds nothing else.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::tally::Tally;
use crate::{
    accelerator::Accelerator,
    dist,
    guest::{INITRAMFS, Machine, Screen},
    initramfs::Initramfs,
    kernels,
    workspace::target,
};

const NAME: &str = "the static binary runs where there is nothing else";

pub fn run(line: &str) -> Result<Tally> {
    let verdict = match boot(line) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("FAILED: {error:#}"),
    };
    let told = format!("test {NAME} ... {verdict}");
    println!(" dist | {told}");
    let mut tally = Tally::default();
    tally.line(&told);
    Ok(tally)
}

fn boot(line: &str) -> Result<()> {
    let kernel = kernels::get(line)?;
    let folder = target("vm").join("alone");
    fs::create_dir_all(&folder)?;
    let mut archive = Initramfs::create(&folder.join(INITRAMFS))?;
    archive.file(&dist::build()?, "/tcp-trace")?;
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
