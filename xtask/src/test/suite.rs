// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs that test: cargo's on the host, the guest's suite on each kernel.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    across::{self, Recorded},
    matrix::Entry,
    tally::Tally,
};
use crate::{
    accelerator::Accelerator,
    guest::{self, Ended, Guest, Screen},
    kernels::Kernel,
    peers, setup, static_build,
    workspace::{cargo, root, run},
};

/// Ends a guest that hangs. No test takes a tenth of it, and how long all of them take depends on the machine.
const SILENCE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// How the line begins in which the guest says what it found in what it recorded.
const FINDING: &str = "finding: ";

/// Builds what [`host`] runs.
pub fn build_host() -> Result<()> {
    run(cargo().args(["test", "--locked", "--no-run"]))
}

/// Everything that needs no kernel of its own.
pub fn host() -> Result<Tally> {
    let mut tests = cargo();
    tests.args(["test", "--locked", "--no-fail-fast"]);
    match setup::engines() {
        // Tests that need them are ignored otherwise, and say why.
        Ok(python) => {
            tests.args(["--", "--include-ignored"]).env("TCP_TRACE_ENGINES", python);
        }
        Err(error) => eprintln!("setup: {error:#}"),
    }
    let (mut tally, success) = watch(&mut tests, "host")?;
    if !success && tally.failed.is_empty() {
        tally.add(Tally::failure("cargo test did not finish".to_owned()));
    }
    Ok(tally)
}

/// What of the guests' suite runs under this machine's own kernel: in network namespaces of its own, as root.
const NATIVE: &str = "storm/";

/// The tests of [`NATIVE`], with the programs that guests get.
pub fn native() -> Result<Tally> {
    let programs = static_build::built(guest::PROFILE);
    let mut suite = setup::as_root("env");
    suite.arg(format!("TCP_TRACE={}", programs.join("tcp-trace").display()));
    match peers::get() {
        Ok(_) => suite.args(peers::environment()),
        // The tests that want one say that they did not run.
        Err(error) => {
            eprintln!("setup: {error:#}");
            &mut suite
        }
    };
    suite.arg(programs.join("tcp-trace-vm-tests")).arg(NATIVE);
    let (mut tally, success) = watch(&mut suite, "own")?;
    if !success && tally.failed.is_empty() {
        tally.add(Tally::failure("the suite did not finish".to_owned()));
    }
    Ok(tally)
}

/// The suite on one kernel. A kernel that is not available is not run; a guest that crashes is a failure.
pub fn guest(Entry { line, parts }: &Entry, kernel: &Result<Kernel>, filter: Option<&str>) -> Result<Tally> {
    let kernel = match kernel {
        Ok(kernel) => kernel,
        Err(error) => return Ok(Tally::not_run("every test".to_owned(), format!("{error:#}"))),
    };
    let mut guest = Guest::new(kernel, vec!["tcp-trace-vm-tests".to_owned()]);
    guest.argv.extend(filter.map(str::to_owned));
    guest.put = peers::get()?;
    guest.env =
        [("RUST_BACKTRACE", "1"), ("TCP_TRACE_PARTS", parts)].map(|(key, value)| (key.into(), value.into())).into();
    guest.silence_limit = Some(SILENCE_LIMIT);
    let mut tally = Tally::default();
    let mut last_line = String::new();
    let mut finding = None;
    let ended = guest.boot(
        Accelerator::find(kernel)?,
        Screen::Lines(&mut |text| {
            println!("{line:>5} | {text}");
            tally.line(text);
            if let Some(said) = text.strip_prefix(FINDING) {
                finding = Some(said.trim().to_owned());
            }
            text.clone_into(&mut last_line);
        }),
    );
    let counted = (tally.passed, tally.failed.len(), tally.not_run.len());
    let complaint = match &ended {
        Err(error) => Some(format!("{error:#}")),
        Ok(Ended { code, .. }) if *code != i32::from(counted.1 > 0) => {
            Some(format!("the suite ended with exit code {code}"))
        }
        Ok(_) if last_line.trim() != format!("{} passed, {} failed, {} not run", counted.0, counted.1, counted.2) => {
            Some(format!("the suite's last line is {last_line:?}, but its tests say {counted:?}"))
        }
        Ok(_) => None,
    };
    if let Some(complaint) = complaint {
        println!("{line:>5} | {complaint}");
        tally.add(Tally::failure(complaint));
    }
    if let Ok(Ended { results: bytes, .. }) = ended {
        tally.add(across::check(line, &Recorded { bytes, finding }));
    }
    Ok(tally)
}

/// Runs a test program, shows what it says and counts it.
fn watch(command: &mut Command, who: &str) -> Result<(Tally, bool)> {
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn().context("could not start the tests")?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().context("its output is piped")?).lines() {
        let line = line?;
        println!("{who:>5} | {line}");
        tally.line(&line);
    }
    Ok((tally, child.wait()?.success()))
}
