// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace time-wait`: who creates the TIME_WAIT sockets, and are their ports reusable?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace time-wait                        level, rates, owners, reusable or not and why
  sudo tcp-trace time-wait --events --format json  every passage into and out of TIME_WAIT";

/// TIME_WAIT by destination and by who closed first: level, rates, limit, and whether ports are reusable now
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Also write a line for every socket that enters or leaves TIME_WAIT
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Traces until the run ends. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    args.live.filters.for_rows(args.events)?;
    live::answer(Mode::TimeWait, &args.live, args.events, verbose)
}
