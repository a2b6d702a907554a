// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace states`: how long do connections stay in each state, and which process does not close?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace states                           time in each state, CLOSE_WAIT leaks, resets, short connections
  sudo tcp-trace states --events --format json     every change of state";

/// TCP states: time in each by process and peer, CLOSE_WAIT leaks, resets by SO_LINGER, short connections
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Also write a line for every change of state
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
    live::answer(Mode::States, &args.live, args.events, verbose)
}
