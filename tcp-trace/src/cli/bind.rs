// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace bind`: who binds before connecting, and what does it leave behind?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace bind                             searches, failures, who binds and then connects, poisoned buckets
  sudo tcp-trace bind --events --format json       every bind() of a TCP socket";

/// bind() of TCP sockets: port searches, failures, binds before connect, ports marked by bind()
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A line for every bind() as well
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
    let filters = &args.live.filters;
    if filters.port.is_some() || filters.daddr.is_some() {
        return Err(Failure::Usage {
            headline: "bind() has no destination yet: --port and --daddr cannot choose among binds".into(),
            try_next: vec!["--pid, --comm, --uid, --cgroup, --netns, -4, -6".into()],
        });
    }
    live::answer(Mode::Bind, &args.live, args.events, verbose)
}
