// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask bench`: the cost of tracing, counted in instructions, compared with other tools.

mod bounds;
mod figures;
mod guest;
mod modes;
mod native;
mod page;
mod peers;
mod scale;
mod tables;

use std::{process::ExitCode, thread};

use anyhow::{Context as _, Result, anyhow};
use figures::{Figures, Machine};
use modes::{MODES, Mode};

use crate::setup;

/// Measure the cost of tracing, in virtual machines that count instructions and on this machine
///
/// Writes docs/benchmarks.md and docs/benchmarks.json if everything was measured, or one of the two parts completely.
/// Prints the results otherwise.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Write nothing; fail if a figure is out of bounds
    #[arg(long)]
    check: bool,
    /// Measure one of the two parts
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Kernel line; may be given more than once
    #[arg(long, value_parser = KERNELS)]
    kernel: Vec<String>,
    /// 4 or 6
    #[arg(long)]
    family: Option<u32>,
    /// Percent of the local ports that are taken: 0, 49, 51 or 95
    #[arg(long)]
    fill: Option<u32>,
    /// Measure only modes whose name contains this
    #[arg(long)]
    mode: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                                       everything: ten minutes, and docs/benchmarks.* are rewritten
  cargo xtask bench --check                               everything, against the bounds
  cargo xtask bench --kernel 6.12 --family 4 --fill 0 --mode fentry    a quick look, half a minute";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Cost of a connect(), in virtual machines
    Guest,
    /// Cost of an event in user space, on this machine
    Native,
}

/// The kernels to which the bounds apply.
const KERNELS: [&str; 2] = ["6.1", "6.12"];

pub fn run(options: &Options) -> Result<ExitCode> {
    setup::packages(&setup::MACHINE)?;
    let mut figures = Figures { machine: Machine::this()?, ..Figures::default() };
    if options.only == Some(Part::Native) && options.has_all_modes() {
        figures.guests = page::before()?.guests;
    } else if options.only != Some(Part::Native) {
        guest::build()?;
        let kernels = KERNELS
            .iter()
            .filter(|line| options.kernel.is_empty() || options.kernel.iter().any(|asked| asked == *line));
        // Their clocks count instructions, so guests that share this machine do not disturb each other.
        let measured = thread::scope(|scope| {
            let guests: Vec<_> = kernels.map(|line| scope.spawn(|| guest::measure(line, options))).collect();
            guests
                .into_iter()
                .map(|guest| guest.join().map_err(|_| anyhow!("a thread that runs a guest panicked"))?)
                .collect::<Result<Vec<_>>>()
        })?;
        measured.into_iter().for_each(|guest| figures.guests.push(guest));
    }
    if options.only != Some(Part::Guest) {
        figures.native = native::measure().context("the native part")?;
    } else if options.has_all_modes() {
        figures.native = page::before()?.native;
    }
    figures.bounds = bounds::verdicts(&figures.guests);
    figures.scale = scale::simulate();
    print!("{}", tables::all(&figures));
    if options.has_all_modes() && !options.check {
        page::write(&figures)?;
    }
    let left = figures.out_of_bounds();
    left.iter().for_each(|line| println!("OUT OF BOUNDS: {line}"));
    Ok(if options.check && !left.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Options {
    /// Whether all modes of the selected part are measured.
    fn has_all_modes(&self) -> bool {
        let Self { check: _, only: _, kernel, family, fill, mode } = self;
        kernel.is_empty() && family.is_none() && fill.is_none() && mode.is_none()
    }

    fn wanted(&self) -> impl Iterator<Item = &'static Mode> {
        MODES.iter().filter(|mode| self.mode.as_deref().is_none_or(|filter| mode.name.contains(filter)))
    }
}
