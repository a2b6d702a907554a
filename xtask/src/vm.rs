// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask vm`: a guest with a real kernel, for one command or for a shell.

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
    /// Line of the kernel: 5.10 6.1 6.12 6.16 6.17 6.18 7.0 7.1 7.2 7.3
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
    /// One CPU, whose time is the instructions that it ran: for measuring what something costs
    #[arg(long)]
    count_instructions: bool,
    /// The profile that builds our programs: guest checks its arithmetic, release is what users are given
    #[arg(long, default_value = "guest", value_parser = ["guest", "release"])]
    profile: String,
    /// A file to take along: a program goes into /bin with its libraries, another file into /root
    #[arg(long)]
    put: Vec<PathBuf>,
    /// Where to put what the command writes to /dev/results
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// The command; without one a shell
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
