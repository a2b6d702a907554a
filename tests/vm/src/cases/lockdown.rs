// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel in confidentiality lockdown: a clear refusal, and nothing left.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};

use crate::{
    bpf::Loaded,
    harness::{Report, not_run},
    tool,
};

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

pub fn run(report: &mut Report) {
    report.test("lockdown/confidentiality", || {
        // Only a machine that was made for the tests may be locked for good.
        if !Path::new("/guest/argv").exists() {
            return Err(not_run("not in a guest"));
        }
        if fs::write(LOCKDOWN, "confidentiality").is_err() {
            return Err(not_run("this kernel has no lockdown"));
        }
        refuses()
    });
}

fn refuses() -> Result<()> {
    let before = Loaded::now();
    let finished = tool::run(Command::new(tool::path()).args(["connect-latency", "--duration", "1s"]))?;
    ensure!(matches!(finished.code, Some(69 | 77)), "exit code {:?}: {}", finished.code, finished.stderr);
    ensure!(finished.stderr.contains("locked down"), "it does not say why: {}", finished.stderr);
    ensure!(finished.stderr.contains("try:"), "it does not say what to do: {}", finished.stderr);
    before.nothing_new()
}
