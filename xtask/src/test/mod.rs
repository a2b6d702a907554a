// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: all tests, on this machine and on real kernels, with one table of results.

mod across;
mod allowed;
mod alone;
mod matrix;
mod report;
mod suite;
mod tally;

use std::{
    collections::VecDeque,
    env,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use alone::Binary;
use anyhow::{Result, anyhow};
use clap::{ValueEnum, builder::PossibleValuesParser};
use matrix::Entry;
use report::Row;

use crate::{
    accelerator::Accelerator,
    dist, guest,
    kernels::{self, Kernel},
    peers, setup, static_build,
};

/// The kernel on which the static binary runs alone.
const KERNEL_ALONE: &str = "6.12";

/// Run every test: on this machine, then in a virtual machine for each kernel
#[derive(clap::Args)]
pub struct Options {
    /// Every test on every kernel line that Debian has
    #[arg(long, conflicts_with = "kernel")]
    all_kernels: bool,
    /// Only this kernel's line, such as 6.12; may be repeated
    #[arg(long, value_parser = PossibleValuesParser::new(kernels::lines()))]
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

/// A part of the run that is done independently.
enum Job {
    Host,
    /// The guests' suite on this machine's own kernel, as far as it needs no machine of its own.
    Native,
    Guest(Entry, Result<Kernel>),
    Alone(Binary),
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let start = Instant::now();
    let mut guests_build = None;
    let mut jobs = VecDeque::new();
    if options.only != Some(Only::Unit) {
        setup::packages(&setup::MACHINE)?;
        let entries = chosen(options);
        // One after another: apt takes a lock of its own, and the first look at KVM is remembered.
        let kernels: Vec<_> = entries.iter().map(|entry| kernels::get(entry.line)).collect();
        peers::get()?;
        guests_build = Some(timed(|| static_build::build(&guest::PROGRAMS, guest::PROFILE).map(drop))?);
        if let Some(Ok(kernel)) = kernels.iter().find(|kernel| kernel.is_ok()) {
            Accelerator::find(kernel)?;
        }
        jobs.extend(entries.into_iter().zip(kernels).map(|(entry, kernel)| Job::Guest(entry, kernel)));
        if options.filter.is_none() {
            // A release takes as long to build as a guest to test. It differs from what guests get in link-time optimisation.
            let binary = if options.all_kernels { Binary::Release } else { Binary::OfGuests };
            // Not the last, when others have nothing left to do.
            jobs.insert(jobs.len().min(3), Job::Alone(binary));
            jobs.push_front(Job::Native);
        }
    }
    if options.only != Some(Only::Vm) {
        // Tests that find no browser say that they were not run.
        if let Err(error) = setup::packages(&setup::BROWSER) {
            eprintln!("setup: {error:#}");
        }
        jobs.push_front(Job::Host);
    }
    let rows = run_all(jobs, options.filter.as_deref())?;
    let in_ci = env::var_os("CI").is_some();
    let green = report::print(rows, guests_build, start.elapsed().as_secs(), in_ci);
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs jobs in parallel. An emulated guest uses one host CPU for about half of its time, so one more job runs than
/// there are CPUs.
fn run_all(jobs: VecDeque<Job>, filter: Option<&str>) -> Result<Vec<Row>> {
    let workers = jobs.len().min(thread::available_parallelism().map_or(1, usize::from) + 1);
    let order: Vec<_> = jobs.iter().map(Job::name).collect();
    let waiting = Mutex::new(jobs);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let worker = || {
        let mut rows = Vec::new();
        while let Some(job) = next() {
            rows.push(job.run(filter)?);
        }
        Ok::<_, anyhow::Error>(rows)
    };
    let mut rows = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            rows.extend(worker.join().map_err(|_| anyhow!("a thread that runs tests panicked"))??);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    rows.sort_by_key(|row| order.iter().position(|name| *name == row.name));
    Ok(rows)
}

impl Job {
    fn name(&self) -> String {
        match self {
            Self::Host => "this machine".to_owned(),
            Self::Native => "own kernel".to_owned(),
            Self::Guest(entry, _) => entry.line.to_owned(),
            Self::Alone(_) => "alone".to_owned(),
        }
    }

    fn run(&self, filter: Option<&str>) -> Result<Row> {
        let start = Instant::now();
        let build = match self {
            Self::Host => Some(timed(suite::build_host)?),
            Self::Alone(Binary::Release) => Some(timed(|| dist::build().map(drop))?),
            Self::Native | Self::Guest(..) | Self::Alone(Binary::OfGuests) => None,
        };
        let tally = match self {
            Self::Host => suite::host(),
            Self::Native => suite::native(),
            Self::Guest(entry, kernel) => suite::guest(entry, kernel, filter),
            Self::Alone(binary) => alone::run(KERNEL_ALONE, *binary),
        }?;
        Ok(Row { name: self.name(), tally, seconds: start.elapsed().as_secs(), build })
    }
}

fn chosen(options: &Options) -> Vec<Entry> {
    // Those who choose a kernel or a test get all that it has.
    let whole = |line: &'static str| Entry { line, parts: matrix::ALL };
    if options.all_kernels {
        kernels::lines().map(whole).collect()
    } else if !options.kernel.is_empty() {
        kernels::lines().filter(|line| options.kernel.iter().any(|chosen| chosen == line)).map(whole).collect()
    } else if options.filter.is_some() {
        matrix::BY_DEFAULT.iter().map(|entry| whole(entry.line)).collect()
    } else {
        matrix::BY_DEFAULT.to_vec()
    }
}

/// Duration of a build in seconds.
fn timed(build: impl FnOnce() -> Result<()>) -> Result<u64> {
    let start = Instant::now();
    build()?;
    Ok(start.elapsed().as_secs())
}
