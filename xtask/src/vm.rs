// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask vm`: a guest with a real kernel, for one command or a shell.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    accelerator::Accelerator,
    guest::{Guest, Screen, terminal_env},
    kernels, setup,
};

/// Run a command, or a shell, in a virtual machine with one of Debian's kernels
#[derive(clap::Args)]
pub struct Options {
    /// Kernel line: 5.10 6.1 6.12 6.16 6.17 6.18 7.0 7.1 7.2 7.3
    #[arg(long, default_value = "6.12")]
    kernel: String,
    /// Force a tier: fentry, kprobe or tracepoint
    #[arg(long)]
    tier: Option<String>,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024)]
    mem: u32,
    #[arg(long, default_value_t = 2, conflicts_with = "count_instructions")]
    cpus: u32,
    /// Use one CPU, whose time is the number of executed instructions, for measurements
    #[arg(long)]
    count_instructions: bool,
    /// Build profile of the programs: guest has arithmetic checks, release is the profile of releases
    #[arg(long, default_value = "guest", value_parser = ["guest", "release"])]
    profile: String,
    /// File to put into the guest: a program goes into /bin with its libraries, another file into /root
    #[arg(long)]
    put: Vec<PathBuf>,
    /// Output file for what the command writes to /dev/results
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Command to run; without one a shell
    #[arg(last = true)]
    command: Vec<String>,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    setup::packages(&setup::MACHINE)?;
    let kernel = kernels::get(&options.kernel)?;
    let mut guest = Guest::new(&kernel, options.command.clone());
    guest.memory_mib = options.mem;
    guest.cpus = if options.count_instructions { 1 } else { options.cpus };
    guest.profile.clone_from(&options.profile);
    guest.put.clone_from(&options.put);
    guest.env = terminal_env();
    if let Some(tier) = &options.tier {
        guest.env.push(("TCP_TRACE_TIER".to_owned(), tier.clone()));
        if guest.argv.starts_with(&["tcp-trace".to_owned(), "connect-latency".to_owned()]) {
            guest.argv.extend(["--tier".to_owned(), tier.clone()]);
        }
    }
    let accelerator = if options.count_instructions { Accelerator::Counting } else { Accelerator::find(&kernel)? };
    let ended = guest.boot(accelerator, Screen::Terminal)?;
    if let Some(path) = &options.results {
        fs::write(path, &ended.results).with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(ExitCode::from(u8::try_from(ended.code)?))
}
