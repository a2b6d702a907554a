// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace time-wait`: whose TIME_WAIT is it, and what comes of it?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace time-wait                        level, rates, owners, reusable or not and why
  sudo tcp-trace time-wait --events --format json  every passage into and out of TIME_WAIT";

/// TIME_WAIT by destination and by who closed first: level, rates, limit, reusable now or not
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A line for every passage into and out of TIME_WAIT as well
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Looks until the end; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    args.live.filters.for_rows(args.events)?;
    live::answer(Mode::TimeWait, &args.live, args.events, verbose)
}
