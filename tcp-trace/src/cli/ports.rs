// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace ports`: how far are we from the cliff, and who holds the ports?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace ports                            per source and destination: ports taken, by whom, room to the edge
  sudo tcp-trace ports --port 3306 --duration 10s  one service, with rates";

/// Local ports per source and destination: taken by what, room to the parity cliff and to exhaustion
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Looks until the end; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    live::answer(Mode::Ports, &args.live, false, verbose)
}
