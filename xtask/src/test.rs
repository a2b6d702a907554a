// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: everything, on this machine and on real kernels, and one table of what came of it.

mod across;
mod alone;
mod suite;
mod tally;

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Result, anyhow};
use clap::ValueEnum;

use crate::{accelerator::Accelerator, kernels, setup};
use tally::Tally;

/// On every run; the others with --all-kernels.
const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.2"];

/// The kernel under which the static binary is tried.
const OF_DIST: &str = "6.12";

/// Run every test: on this machine, then in a virtual machine for each kernel
#[derive(clap::Args)]
pub struct Options {
    /// Every kernel line that Debian has
    #[arg(long, conflicts_with = "kernel")]
    all_kernels: bool,
    /// Only this kernel's line, such as 6.12; may be repeated
    #[arg(long)]
    kernel: Vec<String>,
    /// Only the tests that need no virtual machine, or only those that do
    #[arg(long)]
    only: Option<Only>,
    /// In the virtual machines, only tests whose names contain this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Unit,
    Vm,
}

struct Row {
    name: String,
    tally: Tally,
    seconds: u64,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let mut rows = Vec::new();
    if options.only != Some(Only::Vm) {
        // Tests that find no browser say that they were not run.
        if let Err(error) = setup::packages(&setup::BROWSER) {
            eprintln!("setup: {error:#}");
        }
        rows.push(timed("this machine", suite::host)?);
    }
    if options.only != Some(Only::Unit) {
        setup::packages(&setup::MACHINE)?;
        rows.extend(guests(&chosen(options), options.filter.as_deref())?);
        if options.filter.is_none() {
            rows.push(timed("dist", || alone::run(OF_DIST))?);
        }
    }
    let total = report(rows);
    Ok(if total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An emulated guest keeps one host CPU busy, so as many run at once as there are CPUs.
fn guests(lines: &[String], filter: Option<&str>) -> Result<Vec<Row>> {
    // One after another: apt takes a lock of its own, and the first look at KVM is remembered.
    let kernels: Vec<_> = lines.iter().map(|line| (line, kernels::get(line))).collect();
    if let Some((_, Ok(kernel))) = kernels.iter().find(|(_, kernel)| kernel.is_ok()) {
        Accelerator::find(kernel)?;
    }
    let waiting = Mutex::new(kernels.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut rows = Vec::new();
        while let Some((line, kernel)) = next() {
            rows.push(timed(line, || suite::guest(line, kernel, filter))?);
        }
        Ok::<_, anyhow::Error>(rows)
    };
    let mut rows = Vec::new();
    thread::scope(|scope| {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cpus.min(lines.len())).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            rows.extend(worker.join().map_err(|_| anyhow!("a thread that runs guests panicked"))??);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    rows.sort_by_key(|row| lines.iter().position(|line| *line == row.name));
    Ok(rows)
}

fn chosen(options: &Options) -> Vec<String> {
    if options.all_kernels {
        kernels::lines().map(str::to_owned).collect()
    } else if options.kernel.is_empty() {
        KERNELS.map(str::to_owned).to_vec()
    } else {
        options.kernel.clone()
    }
}

fn timed(name: &str, tests: impl FnOnce() -> Result<Tally>) -> Result<Row> {
    let start = Instant::now();
    let tally = tests()?;
    Ok(Row { name: name.to_owned(), tally, seconds: start.elapsed().as_secs() })
}

/// The table, what failed and what was not run by name, and the plain line that ends it all.
fn report(rows: Vec<Row>) -> Tally {
    println!("\n{:<14}{:>8}{:>8}{:>9}{:>10}", "", "passed", "failed", "not run", "seconds");
    let mut total = Tally::default();
    let mut notes = Vec::new();
    for Row { name, tally, seconds } in rows {
        let Tally { passed, failed, not_run } = &tally;
        println!("{name:<14}{passed:>8}{:>8}{:>9}{seconds:>10}", failed.len(), not_run.len());
        notes.extend(not_run.iter().map(|(test, why)| format!("not run: {name}: {test}: {why}")));
        notes.extend(failed.iter().map(|test| format!("FAILED:  {name}: {test}")));
        total.add(tally);
    }
    notes.sort_by_key(|note| note.starts_with("FAILED"));
    println!();
    notes.iter().for_each(|note| println!("{note}"));
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed.len(), total.not_run.len());
    total
}
