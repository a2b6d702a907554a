// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace listen`: which listener drops what, and why?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, question::Question};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace listen                           accept and SYN queues, drops by cause, who accepts
  sudo tcp-trace listen --events --format json     every SYN or handshake that a listener drops";

/// Listeners: accept queue and SYN queue, their limits, drops by cause, accept rates
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A line for every SYN or handshake that a listener drops as well
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    live: LiveArgs,
}

/// Looks until the end; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    live::answer(Question::Listen, &args.live, args.events, verbose)
}
